//! The files of this machine and of hosts: with both servers of SFTP that OpenSSH has, without any,
//! and with other shells. What holds in one place holds in all.

#[path = "../far/opener.rs"]
mod opener;
#[path = "../../../ssh/tests/real/sshd.rs"]
#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a server that the tests of the connections start as well"
)]
mod sshd;

mod place;

mod breaks;
mod moves;
mod paths;
mod writes;
