//! Device login (RFC 8628): a device shows a code, its person says yes somewhere else, and the
//! device gets an API key.

use wharf_model::{Caller, Role, Scopes, Secret, TokenKind};
use wharf_store::db::{DeviceMade, DeviceRow, KeyRow, Polled};

use crate::authenticate::{capped, giving};
use crate::identity::{Inner, Shown, manages, person_of, shown};
use crate::keys::FULL;
use crate::limits::{
    DEVICE_INTERVAL, DEVICE_INTERVAL_MAX, DEVICE_LIFETIME, DEVICES_OPEN, DEVICES_PER_NETWORK,
    KEYS_PER_USER, TRIES_PER_MINUTE,
};
use crate::lockout::Tried;
use crate::logins::place_among;
use crate::record::Note;
use crate::text::{
    address_of, device_of, hash_of, moment, ms, network_of, user_code, user_code_hash,
};
use crate::users::{membership_view, user_view};
use crate::views::{
    DeviceAnswer, DeviceAsk, DeviceCodes, DeviceDone, DevicePoll, DeviceView, Peer,
};
use crate::{Error, Identity};

/// How much too early a poll may come: the network is not as regular as a clock.
const SLACK_MS: i64 = 1_000;
/// How often another user code is drawn when the first is somebody's.
const DRAWS_MAX: usize = 3;

impl Identity {
    /// A device asks to be let in.
    ///
    /// # Errors
    /// [`Error::Full`] when too many wait; [`Error::Throttled`].
    pub async fn begin_device(&self, ask: DeviceAsk, peer: &Peer) -> Result<DeviceCodes, Error> {
        let inner = &self.inner;
        let tried = Tried::new("device-from", &network_of(peer));
        inner.spend(&tried, TRIES_PER_MINUTE).await?;
        let scopes = ask.scopes.unwrap_or_default();
        let now_ms = inner.now_ms();
        for _ in 0..DRAWS_MAX {
            let device_code = TokenKind::Device.random(&*inner.parts.entropy);
            let user_code = user_code(&*inner.parts.entropy);
            let user_hash = user_code_hash(user_code.expose());
            let row = DeviceRow {
                device_hash: hash_of(device_code.expose()),
                user_hash: user_hash.ok_or(Error::internal("make a code"))?,
                device: device_of(peer),
                address: address_of(peer),
                network: network_of(peer),
                scopes: scopes.to_string(),
                created_ms: now_ms,
                expires_ms: now_ms + ms(DEVICE_LIFETIME),
                interval_ms: ms(DEVICE_INTERVAL),
                state: "pending".to_owned(),
                ..DeviceRow::default()
            };
            let bounds = (DEVICES_OPEN, DEVICES_PER_NETWORK);
            match inner.parts.database.insert_device(&row, bounds).await? {
                DeviceMade::Made => {
                    return Ok(DeviceCodes {
                        device_code,
                        user_code,
                        lifetime: DEVICE_LIFETIME,
                        interval: DEVICE_INTERVAL,
                    });
                }
                DeviceMade::Taken => {}
                DeviceMade::Full => {
                    return Err(Error::Full {
                        what: "devices that wait at this address",
                        most: DEVICES_PER_NETWORK,
                    });
                }
            }
        }
        Err(Error::internal("draw a code that nobody has"))
    }

    /// A device asks whether it was let in. Of many polls at once, at one server or at several, one
    /// gets the key.
    ///
    /// # Errors
    /// [`Error::Full`] when the person has too many keys.
    pub async fn poll_device(&self, device_code: &Secret) -> Result<DevicePoll, Error> {
        let inner = &self.inner;
        // 256 random bits are not guessed, and what is mistyped is known as that at once.
        let Ok(code) = TokenKind::Device.parse(device_code.expose()) else {
            return Ok(DevicePoll::Invalid);
        };
        let now_ms = inner.now_ms();
        let token = TokenKind::ApiKey.random(&*inner.parts.entropy);
        let key = KeyRow {
            id: inner.new_key_id(),
            hash: hash_of(token.expose()),
            created_ms: now_ms,
            expires_ms: now_ms + ms(inner.options.key_lifetime),
            ..KeyRow::default()
        };
        let pace = (SLACK_MS, ms(DEVICE_INTERVAL), ms(DEVICE_INTERVAL_MAX));
        let hash = hash_of(code.expose());
        let polled = inner
            .parts
            .database
            .poll_device(&hash, key, KEYS_PER_USER, pace);
        match polled.await? {
            Polled::Unknown => Ok(DevicePoll::Invalid),
            Polled::Expired => Ok(DevicePoll::Expired),
            Polled::Denied => Ok(DevicePoll::Denied),
            Polled::Pending => Ok(DevicePoll::Pending),
            Polled::TooSoon { interval_ms } => Ok(DevicePoll::SlowDown {
                interval: std::time::Duration::from_millis(interval_ms.unsigned_abs()),
            }),
            Polled::Full => Err(FULL),
            Polled::Made(row) => inner.let_in(token, *row).await,
        }
    }

    /// The device with this user code, for the person who is to decide.
    ///
    /// # Errors
    /// [`Error::NotFound`] when none waits with it; [`Error::Throttled`] after a few wrong ones.
    pub async fn find_device(
        &self,
        caller: &Caller,
        user_code: &str,
        peer: &Peer,
    ) -> Result<DeviceView, Error> {
        let row = self.inner.waiting(caller, user_code, peer).await?;
        Ok(DeviceView {
            same_address: row.address == address_of(peer),
            device: row.device,
            address: row.address,
            scopes: read(&row.scopes)?,
            asked: moment(row.created_ms),
            expires: moment(row.expires_ms),
        })
    }

    /// Decides. What is made for the device is for no more than it asked, and than the person may.
    ///
    /// # Errors
    /// As [`find_device`](Self::find_device); [`Error::NotFound`] when the person does not belong
    /// to the organization.
    pub async fn answer_device(
        &self,
        caller: &Caller,
        user_code: &str,
        answer: DeviceAnswer,
        peer: &Peer,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        let row = inner.waiting(caller, user_code, peer).await?;
        let person = person_of(caller)?;
        let decided = match answer {
            DeviceAnswer::Deny => DeviceRow {
                state: "denied".to_owned(),
                ..row
            },
            DeviceAnswer::Allow { organization } => {
                let own = caller.grants().organization.as_ref().map(|it| &*it.id);
                let place = inner
                    .place_of(person, organization.as_deref().or(own))
                    .await?;
                let is_key = matches!(shown(caller), Shown::Key(_));
                if is_key && own != Some(place.organization.id.as_str()) {
                    return Err(Error::NotFound("organization"));
                }
                let role = Role::parse(&place.role).unwrap_or(Role::Viewer);
                // Not more than the person has: of what was asked, that much.
                let own = giving(caller);
                let scopes = read(&row.scopes)?.only(|scope| own.covers(scope));
                let scopes = capped(&scopes, role);
                if scopes.as_slice().is_empty() {
                    return Err(Error::needs_role("a role that may do what the device asks"));
                }
                DeviceRow {
                    state: "allowed".to_owned(),
                    user_id: Some(person.to_owned()),
                    organization_id: Some(place.organization.id),
                    scopes: scopes.to_string(),
                    name: Some(row.device.clone()),
                    ..row
                }
            }
        };
        let allowed = decided.state == "allowed";
        let note = Note {
            organization: decided.organization_id.as_deref(),
            name: decided.name.as_deref(),
            scopes: allowed.then(|| decided.scopes.clone()),
            address: Some(decided.address.clone()),
            device: Some(decided.device.clone()),
            ..Note::by(caller)
        };
        let kind = if allowed {
            "device.allowed"
        } else {
            "device.denied"
        };
        inner.record(kind, &note)?;
        let now_ms = inner.now_ms();
        let answered = inner.parts.database.answer_device(&decided, now_ms).await?;
        answered.then_some(()).ok_or(Error::NotFound("device"))
    }
}

impl Inner {
    /// The device that waits with this user code. Each try counts, for the account and for the
    /// address; one that is right is given back.
    async fn waiting(
        &self,
        caller: &Caller,
        user_code: &str,
        peer: &Peer,
    ) -> Result<DeviceRow, Error> {
        manages(caller)?;
        let person = person_of(caller)?;
        let network = Tried::new("code-from", &network_of(peer));
        let account = Tried::new("device-code", person);
        self.spend(&network, TRIES_PER_MINUTE).await?;
        self.guess(&account).await?;
        let missing = Error::NotFound("device");
        let Some(hash) = user_code_hash(user_code) else {
            return Err(missing);
        };
        let row = self.parts.database.device(&hash, self.now_ms()).await?;
        let Some(row) = row else {
            return Err(missing);
        };
        self.guessed_right(&account).await?;
        self.give_back(&network, TRIES_PER_MINUTE).await?;
        Ok(row)
    }

    /// The key is made, and known to nobody until this returns.
    async fn let_in(&self, token: Secret, row: KeyRow) -> Result<DevicePoll, Error> {
        let note = Note {
            user: Some(&row.user_id),
            organization: Some(&row.organization_id),
            id: Some(&row.id),
            name: Some(&row.name),
            scopes: Some(row.scopes.clone()),
            detail: Some("device"),
            ..Note::default()
        };
        let database = &self.parts.database;
        if let Err(error) = self.record("key.created", &note) {
            database.revoke_key(&row.id, self.now_ms()).await?;
            return Err(error);
        }
        let user = database.user(&row.user_id).await?;
        let user = user.ok_or(Error::NotFound("user"))?;
        let places = database.memberships(&user.id).await?;
        let place = place_among(&places, Some(&row.organization_id))?;
        Ok(DevicePoll::Done(Box::new(DeviceDone {
            token,
            key: self.key_view(row, false).await?,
            organization: membership_view(place),
            user: user_view(user, &places),
        })))
    }
}

fn read(scopes: &str) -> Result<Scopes, Error> {
    Scopes::parse(scopes).map_err(|_| Error::internal("read scopes"))
}
