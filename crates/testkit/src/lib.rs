//! A server, a clock and a home directory for tests.
