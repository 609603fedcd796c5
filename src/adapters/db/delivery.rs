//! What accounts say about pictures by URL, and what serving has to know.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Mode, Transaction, changes,
    error::Stop,
    tx::{Tx, binds},
};
use crate::domain::{
    delivery::{Account, ChangeKind, Settings},
    error::Error,
    ids::{ImageId, UserId},
};

row! {
    /// Of an account that has put nothing, all but the last is NULL.
    struct SettingsRow {
        strict: Option<bool>,
        allowed: Option<Value>,
        fallback_image_id: Option<Uuid>,
        disabled: bool,
    }
}

impl SettingsRow {
    fn settings(self) -> Result<Settings, Stop> {
        let (Some(strict), Some(mut allowed)) = (self.strict, self.allowed) else {
            return Ok(Settings::default());
        };
        let allowed = allowed.get_mut("transformations").map(Value::take).unwrap_or_default();
        Ok(Settings {
            strict,
            allowed: serde_json::from_value(allowed).map_err(Stop::corrupt)?,
            fallback_image_id: self.fallback_image_id.map(ImageId),
        })
    }
}

async fn get(tx: &mut Tx, user_id: UserId) -> Result<Option<SettingsRow>, Stop> {
    tx.fetch_optional(
        "SELECT s.strict, s.allowed, s.fallback_image_id, u.disabled
         FROM users u LEFT JOIN delivery_settings s ON s.user_id = u.id WHERE u.id = $1",
        binds![user_id],
    )
    .await
}

/// What an account has said, or the defaults.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for DeliverySettings {
    const NAME: &'static str = "delivery.settings";
    const MODE: Mode = Mode::Read;
    type Output = Settings;

    async fn perform(&self, tx: &mut Tx) -> Result<Settings, Stop> {
        let row = get(tx, self.user_id).await?;
        row.ok_or_else(|| Error::not_found("account"))?.settings()
    }
}

/// Puts other settings in the place of an account's.
#[derive(Debug, Clone)]
pub struct PutDeliverySettings {
    /// The account.
    pub user_id: UserId,
    /// The settings; that the fallback is the account's was checked.
    pub settings: Settings,
}

impl Transaction for PutDeliverySettings {
    const NAME: &'static str = "delivery.put_settings";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let Settings { strict, allowed, fallback_image_id } = &self.settings;
        tx.execute(
            "INSERT INTO delivery_settings (user_id, strict, allowed, fallback_image_id)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id) DO UPDATE SET strict = excluded.strict,
                 allowed = excluded.allowed, fallback_image_id = excluded.fallback_image_id",
            binds![
                self.user_id,
                *strict,
                json!({ "transformations": allowed }),
                *fallback_image_id
            ],
        )
        .await
        .map_err(|stop| stop.or_missing("image"))?;
        changes::of_account(tx, self.user_id, ChangeKind::Facts).await
    }
}

/// What serving has to know of an account; `None` if there is none.
#[derive(Debug, Clone)]
pub struct DeliveryAccount {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for DeliveryAccount {
    const NAME: &'static str = "delivery.account";
    const MODE: Mode = Mode::Read;
    type Output = Option<Account>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Account>, Stop> {
        let Some(row) = get(tx, self.user_id).await? else { return Ok(None) };
        let disabled = row.disabled;
        let presets = tx
            .fetch_all(
                "SELECT name, spec FROM presets WHERE user_id = $1 ORDER BY name",
                binds![self.user_id],
            )
            .await?;
        let keys: Vec<(String,)> = tx
            .fetch_all(
                "SELECT id FROM signing_keys WHERE user_id = $1 ORDER BY id",
                binds![self.user_id],
            )
            .await?;
        let keys = keys.into_iter().map(|(id,)| id).collect();
        Ok(Some(Account { disabled, settings: row.settings()?, presets, keys }))
    }
}
