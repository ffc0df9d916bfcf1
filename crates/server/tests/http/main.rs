//! The server over a real engine, in process: requests go into the router as hyper would hand
//! them over. `socket` alone opens a port.

mod ids;
mod malformed;
mod origins;
mod problems;
mod routes;
mod runs;
mod sessions;
mod socket;
mod streams;
mod support;
