//! Floor 3: who owns what.
//!
//! Children start in this order and drain in the opposite one:
//!
//! ```text
//!   supervisor
//!   ├─ database      the pool of connections          (api, worker)
//!   ├─ storage       the objects                      (api, worker)
//!   ├─ cache         looked up and counted lately     (api, worker)
//!   ├─ publisher     the queue, where jobs go in      (api, worker)
//!   ├─ janitor       expiries, objects to be removed, jobs whose workers vanished  (api, worker)
//!   ├─ notifier      what other processes did         (api)
//!   ├─ messenger     news between processes, by Redis (api, worker)
//!   ├─ transformer   the rayon pool                   (api, worker)
//!   ├─ consumer      jobs under way                   (worker)
//!   ├─ relay         from the outbox to the queue     (api, worker)
//!   ├─ describer     pictures nobody has looked at    (worker)
//!   ├─ webhooks      who is told of a job's end       (api, worker)
//!   └─ cdn           what it has to forget            (api, worker; where one is named)
//! ```
//!
//! `database`, `storage`, `cache` and `publisher` are one kind of actor, [`owner::Owner`], reached through an
//! [`address::Address`] that outlives each incarnation of the actor behind it. The work of the janitor, the notifier, the relay,
//! the describer, the webhooks and the CDN comes round by the clock: each is a [`rounds::Chore`].

pub mod address;
mod budget;
pub mod cdn;
pub mod consumer;
pub mod describer;
pub mod doorbell;
pub mod janitor;
pub mod notifier;
pub mod owner;
pub mod relay;
pub mod rounds;
pub mod supervisor;
pub mod transformer;
pub mod webhooks;
