"""The doors that speak HTTP: one file a wire, one table of routes, one place that knows statuses."""
