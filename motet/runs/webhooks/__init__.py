"""Telling others of a run's end: kept with the run (`rows`), signed (`signature`), sent until taken (`postman`)."""
