//! Floor 3: who owns what.
//!
//! Children start in this order and drain in the opposite one:
//!
//! ```text
//!   supervisor
//!   ├─ database      the pool of connections          (api, worker)
//!   ├─ storage       the objects                      (api, worker)
//!   ├─ cache         looked up and counted lately     (api, worker)
//!   ├─ janitor       expiries, objects to be removed  (api, worker)
//!   ├─ transformer   the rayon pool                   (api, worker)
//!   ├─ consumer      jobs under way                   (worker)
//!   └─ describer     pictures nobody has looked at    (worker)
//! ```
//!
//! `database`, `storage` and `cache` are one kind of actor, [`owner::Owner`], reached through an
//! [`address::Address`] that outlives each incarnation of the actor behind it. The janitor's and the describer's work comes
//! round by the clock: each is a [`rounds::Chore`].

pub mod address;
pub mod consumer;
pub mod describer;
pub mod doorbell;
pub mod janitor;
pub mod owner;
pub mod rounds;
pub mod supervisor;
pub mod transformer;
