//! `wharf db check`

use serde_json::{Map, Value, json};
use wharf_store::db::{Database, Looked};

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;
use crate::wire::{block_on, database};

/// Changes nothing, not even an old schema.
pub(crate) fn check(cx: &Context) -> Outcome {
    let url = database::url(cx);
    let file = database::file(cx)?;
    // Looking at one that is not there would make it.
    if let Some(file) = file.as_ref().filter(|file| !file.exists()) {
        return Err(
            CommandError::new(Kind::NotFound, format!("there is no {}", file.display()))
                .hint("the first start of the server makes it; wharf db migrate makes it now"),
        );
    }
    let looked = block_on(async {
        let looked = match (&file, &url) {
            (Some(file), _) => Database::look_at_file(file).await,
            (None, Some(url)) => Database::look(url.expose()).await,
            (None, None) => Database::look_at_file(&cx.places.database_file()).await,
        };
        looked.map_err(|error| database::failed(cx, error))
    })?;
    let whole = looked.problems.is_empty();
    if cx.ui.json {
        ui::data(&format!("{}\n", to_json(&looked)))?;
    } else {
        let rows: String = looked
            .rows
            .iter()
            .map(|(table, rows)| format!("{table:<14}{rows:>10}\n"))
            .collect();
        ui::data(&rows)?;
        if let Some(problem) = looked.problems.first() {
            let failed = CommandError::failed(format!("{}: {problem}", looked.name));
            return Err(match looked.problems.len() - 1 {
                0 => failed,
                1 => failed.hint("1 more problem was found; --json lists both"),
                more => failed.hint(format!("{more} more problems were found; --json lists all")),
            });
        }
        let (at, newest) = (looked.step, looked.newest);
        if at < newest {
            return Err(CommandError::failed(format!(
                "{} is at step {at} of {newest}",
                looked.name
            ))
            .hint("wharf db migrate brings it up to date, and so does the server's next start"));
        }
        ui::data(&format!("ok {} is whole, at step {at}\n", looked.name))?;
    }
    Ok(if whole && looked.step >= looked.newest {
        DONE
    } else {
        Kind::Failed.exit_code()
    })
}

fn to_json(looked: &Looked) -> Value {
    let rows: Map<String, Value> = looked
        .rows
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), (*rows).into()))
        .collect();
    json!({
        "database": looked.name,
        "step": looked.step,
        "newest_step": looked.newest,
        "problems": looked.problems,
        "rows": rows,
    })
}
