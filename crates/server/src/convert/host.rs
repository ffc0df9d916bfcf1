//! Hosts between the wire and the engine.

use std::time::Duration;

use wharf_api as api;
use wharf_engine::hosts::{
    HostEntry, HostPlace, HostTest, KeyView, KnownFacts, NewHost, Standing, TrustOutcome,
};
use wharf_model::SshTarget;

/// What is asked to be known of a host. Its form is the engine's to check.
pub(crate) fn new_host(wire: api::HostRequest) -> NewHost {
    // What was left empty was left out.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    NewHost {
        place: HostPlace {
            address: wire.address,
            port: wire.port,
            user: given(wire.user),
            identity: given(wire.identity),
            jump: given(wire.jump),
        },
        groups: wire.groups,
        note: wire.note.unwrap_or_default(),
    }
}

pub(crate) fn host(entry: &HostEntry) -> api::Host {
    let place = entry.place.clone();
    let (facts, facts_at) = entry.facts.clone().unzip();
    api::Host {
        name: entry.name.clone(),
        place: api::HostRequest {
            address: place.address,
            port: place.port,
            user: place.user,
            identity: place.identity,
            jump: place.jump,
            groups: entry.groups.clone(),
            note: Some(entry.note.clone()).filter(|note| !note.is_empty()),
        },
        added_by: entry.added_by.clone(),
        added_at: entry.added_at.to_string(),
        changed_at: entry.changed_at.to_string(),
        facts: facts.map(self::facts),
        facts_at: facts_at.map(|at| at.to_string()),
    }
}

pub(crate) fn test(test: HostTest) -> api::HostTest {
    let (step, error) = test.error.unzip();
    api::HostTest {
        host: test.host,
        ok: error.is_none(),
        key: test.key.map(key),
        connect_ms: test.connected.map(millis),
        round_trip_ms: test.round_trip.map(millis),
        facts: test.facts.map(facts),
        notes: test.notes,
        step: step.map(str::to_owned),
        error,
    }
}

pub(crate) fn trust(target: &SshTarget, outcome: TrustOutcome) -> api::HostTrust {
    api::HostTrust {
        host: target.to_string(),
        trusted: outcome.trusted,
        key: key(outcome.key),
        recorded_in: outcome.recorded,
    }
}

fn key(key: KeyView) -> api::HostKey {
    let (standing, expected, detail) = match key.standing {
        Standing::Known => ("known", None, None),
        Standing::Unknown => ("unknown", None, None),
        Standing::Changed { expected, place } => ("changed", Some(expected), Some(place)),
        Standing::Refused { why } => ("refused", None, Some(why)),
    };
    api::HostKey {
        algorithm: key.algorithm,
        fingerprint: key.fingerprint,
        standing: standing.to_owned(),
        expected,
        detail,
    }
}

fn facts(facts: KnownFacts) -> api::HostFacts {
    api::HostFacts {
        home: facts.home,
        user: facts.user,
        name: facts.name,
        kernel: facts.kernel,
        architecture: facts.architecture,
        system: facts.system,
        shell: facts.shell,
        processors: facts.processors,
        memory: facts.memory,
        packages: facts.packages,
    }
}

fn millis(span: Duration) -> f64 {
    // To the microsecond.
    (span.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
