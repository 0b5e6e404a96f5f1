"""nbsession's REST API, below ``nbsession/api`` of the server; described in openapi.yaml."""
