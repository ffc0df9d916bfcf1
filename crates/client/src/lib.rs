//! A typed HTTP client for the server.
