"""Tools made of HTTP services that an OpenAPI document describes: one tool an operation, called by the one way out."""
