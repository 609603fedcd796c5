//! A crowd that asks for the same picture at the same time, which nobody has made yet.

use std::time::Duration;

use crate::{
    cases::{CASES, Tool},
    load::{Load, Turn},
    ours,
    place::Place,
};

/// What became of it.
pub struct Herd {
    pub turn: Turn,
    /// CPU milliseconds of all together.
    pub cpu: f64,
    /// The most memory, in MB.
    pub memory: f64,
}

/// Has so many ask a new server of ours at once.
pub async fn measure(place: &Place, crowd: usize) -> Herd {
    let server = place.start(Tool::Ours("best"));
    let case = &CASES[0];
    let image = ours::publish(server.port, place.picture(case)).await;
    let paths = vec![case.path(Tool::Ours("best"), &image, 500); crowd];
    server.settle();
    server.forget_memory();
    let before = server.cpu();
    let load = Load { connections: crowd, most: Duration::from_secs(60) };
    let turn = load.run(server.port, &paths, "image/jpeg").await;
    server.settle();
    Herd { turn, cpu: (server.cpu() - before).as_secs_f64() * 1000.0, memory: server.memory() }
}
