//! `wharf host rm NAME…`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::wire::block_on;

pub(crate) fn rm(cx: &Context, hosts: &[String]) -> Outcome {
    let server = connect::find(cx)?;
    block_on(async {
        for host in hosts {
            server.client.remove_host(host).await?;
            cx.ui.note(&format!("forgot {host}"));
        }
        Ok(DONE)
    })
}
