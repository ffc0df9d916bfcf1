//! The wire: request and response structs and error codes, shared by server and client.
