"""What every part of the REST API shares, and the endpoints with which a client logs in."""
