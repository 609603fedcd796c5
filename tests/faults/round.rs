//! Runs the scenarios in order, in rounds, and says what became of them.

use std::{
    fmt::Display,
    io::Write,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream};
use tokio::signal::unix::{SignalKind, signal};

use crate::{dice::Dice, servers::Servers};

/// Something that goes wrong, by name.
pub struct Scenario {
    pub name: &'static str,
    pub needs_broker: bool,
    pub run: fn(Trial) -> LocalBoxFuture<'static, ()>,
}

/// The scenario that `$module::$function` is; `with a broker`, when it would mean nothing without one.
macro_rules! scenario {
    ($module:ident::$function:ident, with a broker) => {
        $crate::round::Scenario {
            needs_broker: true,
            ..$crate::round::scenario!($module::$function)
        }
    };
    ($module:ident::$function:ident) => {
        $crate::round::Scenario {
            name: concat!(stringify!($module), "::", stringify!($function)),
            needs_broker: false,
            run: |trial| Box::pin($crate::$module::$function(trial)),
        }
    };
}
pub(crate) use scenario;

/// One run of one scenario.
pub struct Trial {
    /// The round's servers.
    pub servers: Arc<Servers>,
    /// Others that are like managed ones.
    pub managed: Arc<Servers>,
    pub dice: Dice,
    /// As long as the promise is worded, or only as long as is needed to see it broken.
    pub long: bool,
    /// Jobs go through RabbitMQ, or else (`FAULT_BROKER=none`) through the database.
    pub has_broker: bool,
}

impl Trial {
    /// Jobs to be in flight.
    pub fn jobs(&self) -> usize {
        self.either(200, 40)
    }

    pub fn either<T>(&self, long: T, short: T) -> T {
        if self.long { long } else { short }
    }
}

/// What is to be run.
struct Plan {
    together: Vec<&'static Scenario>,
    alone: Vec<&'static Scenario>,
    rounds: u64,
    long: bool,
    has_broker: bool,
    seed: Option<u64>,
}

impl Plan {
    fn read(all: [&'static [Scenario]; 2]) -> Self {
        // Flags are for the test harness that this is not.
        let wanted: Vec<_> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let has_broker = std::env::var("FAULT_BROKER").map_or(true, |broker| broker != "none");
        let is_wanted = |scenario: &&Scenario| {
            let named = wanted.iter().any(|part| scenario.name.contains(part.as_str()));
            (wanted.is_empty() || named) && (has_broker || !scenario.needs_broker)
        };
        let [together, alone] = all.map(|all| all.iter().filter(is_wanted).collect());
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no number")))
        };
        Self {
            together,
            alone,
            rounds: number("FAULT_ROUNDS").unwrap_or(1),
            long: number("FAULT_LONG").is_some_and(|long| long > 0),
            has_broker,
            seed: number("FAULT_SEED"),
        }
    }

    fn count(&self) -> usize {
        self.together.len() + self.alone.len()
    }

    /// The seed of a round: the one that was asked for, or any.
    fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            (u64::from(time.subsec_nanos()) ^ time.as_secs()) % 1_000_000
        })
    }
}

/// Runs what the command line and the environment ask for.
pub fn main(all: [&'static [Scenario]; 2]) -> ExitCode {
    let plan = Plan::read(all);
    // One thread: every process is its child, and dies with it (`process::dying_with_us`).
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        // Leaving here drops, and so ends, what a scenario has started.
        tokio::select! {
            code = rounds(&plan) => code,
            _ = interrupt.recv() => ExitCode::from(130),
            _ = terminate.recv() => ExitCode::from(143),
        }
    })
}

async fn rounds(plan: &Plan) -> ExitCode {
    let mut summary = Vec::new();
    for number in 1..=plan.rounds {
        let seed = plan.seed();
        say(format_args!(
            "\nrunning {} fault scenarios, round {number} of {}, FAULT_SEED={seed}\n",
            plan.count(),
            plan.rounds
        ));
        let began = Instant::now();
        let failed = round(plan, seed).await;
        let result = if failed.is_empty() {
            "ok".to_owned()
        } else {
            format!("FAILED: {}", failed.join(", "))
        };
        let passed = plan.count() - failed.len();
        let took = began.elapsed().as_secs();
        let line = format!(
            "round {number}: FAULT_SEED={seed}, {passed} passed, {} failed, {took} s: {result}\n",
            failed.len()
        );
        say(format_args!("\n{line}"));
        summary.push((failed.is_empty(), line));
    }
    if plan.rounds > 1 {
        say("\n");
        summary.iter().for_each(|(_, line)| say(line));
    }
    if summary.iter().all(|(passed, _)| *passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every scenario once, over servers of this round; the names of those that failed.
async fn round(plan: &Plan, seed: u64) -> Vec<&'static str> {
    let (servers, managed) = (Arc::new(Servers::default()), Arc::new(Servers::managed()));
    let run = async |scenario: &&'static Scenario| {
        let trial = Trial {
            servers: servers.clone(),
            managed: managed.clone(),
            dice: Dice::new(seed, scenario.name),
            long: plan.long,
            has_broker: plan.has_broker,
        };
        try_out(scenario, trial, seed).await
    };
    let together = stream::iter(&plan.together).map(run).buffered(AT_ONCE);
    let alone = stream::iter(&plan.alone).then(run);
    together.chain(alone).filter_map(async |failed| failed).collect().await
}

/// Runs one scenario and says what became of it; its name if it failed.
async fn try_out(scenario: &Scenario, trial: Trial, seed: u64) -> Option<&'static str> {
    let Scenario { name, run, .. } = scenario;
    let (began, long) = (Instant::now(), u8::from(trial.long));
    let run = tokio::time::timeout(PATIENCE, run(trial));
    let passed = match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(())) => true,
        Ok(Err(_)) => {
            say(format_args!("{name} does not come to an end\n"));
            false
        }
        // The panic has said why.
        Err(_) => false,
    };
    let result = if passed { "ok" } else { "FAILED" };
    say(format_args!("test {name} ... {result} ({:.1} s)\n", began.elapsed().as_secs_f64()));
    if passed {
        return None;
    }
    say(format_args!(
        "again with: FAULT_SEED={seed} FAULT_LONG={long} cargo test --test faults -- {name}\n"
    ));
    Some(name)
}

/// Scenarios that are run beside each other.
const AT_ONCE: usize = 3;
/// More than the longest of them takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Says it at once, before the next process does.
pub fn say(text: impl Display) {
    let mut out = std::io::stdout();
    // Nobody listening is nobody to tell.
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}
