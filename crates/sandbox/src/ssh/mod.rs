//! stub
#[derive(Debug, Clone)] pub struct SshOptions {}
#[derive(Debug, Clone)] pub struct SshProvider {}
