//! What is kept: the audit log and the database.
