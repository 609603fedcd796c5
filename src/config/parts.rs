//! What can be understood although something else can't.

use std::path::PathBuf;

use super::{
    Database, Queue, Redis, Storage,
    check::{BROKER_NAMES, DATABASE_NAMES, database_of, is_of_database, queue_of},
    redis,
    report::{Faults, Warning},
    settings::Settings,
    storage::{self, is_of_storage},
};

/// The configuration in parts, for those who look for what is wrong. A part with a fault in it is `None`.
#[derive(Debug)]
pub struct Parts {
    /// Everything that keeps the service from starting.
    pub faults: Vec<super::Fault>,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
    /// `DATA_DIR`.
    pub data_dir: Option<PathBuf>,
    /// Where pictures live.
    pub storage: Option<Storage>,
    /// Where rows live.
    pub database: Option<Database>,
    /// Redis; `Some(None)`: there is none.
    pub redis: Option<Option<Redis>>,
    /// How jobs come to workers.
    pub queue: Option<Queue>,
    /// `TRANSFORM_THREADS` and `TRANSFORM_MEMORY`.
    pub transforms: Option<(usize, u64)>,
}

impl Settings {
    /// Everything that is wrong, and every part that is not.
    pub fn parts(&self) -> Parts {
        let Faults { faults, warnings } = match self.check() {
            Ok((_, warnings)) => Faults { faults: Vec::new(), warnings },
            Err(found) => found,
        };
        let values = self.values(&mut Vec::new());
        // What a file says that can't be read is in doubt, whatever it is.
        let is_sound = |is_of: &dyn Fn(&str) -> bool| {
            self.unreadable().is_empty() && !faults.iter().any(|fault| is_of(&fault.name))
        };
        let data_dir = is_sound(&|name| name == "DATA_DIR").then(|| values.text("DATA_DIR"));
        let named = |names| self.said_first(names).and_then(|said| values.secret(said.name));
        let database =
            is_sound(&is_of_database).then(|| database_of(&values, named(DATABASE_NAMES)).ok());
        let storage = is_sound(&is_of_storage)
            .then(|| storage::meant(self, &values, &mut Vec::new(), &mut Vec::new()));
        let is_of_redis = |name: &str| name.contains("REDIS_");
        let redis =
            is_sound(&is_of_redis).then(|| redis::meant(self, &mut Vec::new(), &mut Vec::new()));
        let is_of_queue = |name: &str| BROKER_NAMES.contains(&name) || name.starts_with("QUEUE_");
        let queue = is_sound(&is_of_queue).then(|| queue_of(&values, named(BROKER_NAMES)).ok());
        let is_of_transforms =
            |name: &str| matches!(name, "TRANSFORM_THREADS" | "TRANSFORM_MEMORY");
        let transforms = is_sound(&is_of_transforms).then(|| {
            let memory = values.number("TRANSFORM_MEMORY");
            values.number("TRANSFORM_THREADS").ok().zip(memory.ok())
        });
        Parts {
            data_dir: data_dir.flatten().map(PathBuf::from),
            storage: storage.flatten(),
            database: database.flatten(),
            redis,
            queue: queue.flatten(),
            transforms: transforms.flatten(),
            faults,
            warnings,
        }
    }
}
