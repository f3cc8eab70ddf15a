//! What one generator thread makes a data plane carry, and what both cost.
//!
//! ```text
//! fleet PROGRAM fan-out SUBSCRIBERS PACKETS_PER_FRAME FRAMES_PER_SECOND SECONDS [read|drop]
//! fleet PROGRAM consult ROOMS SECONDS
//! fleet PROGRAM storm JOINS_PER_SECOND SECONDS
//! ```
//! Starts the data plane on processor 0 with one worker and generates on processor 1.
#![expect(clippy::print_stdout, reason = "it is for people")]
#![expect(clippy::disallowed_methods, reason = "an example is an edge")]

use anyhow::{Context as _, Result, bail};
use bedside_loadgen::dataplane::Dataplane;
use bedside_loadgen::kernel::{Cost, Process};
use bedside_loadgen::light::{Fleet, FleetConfig, Publication, Reception, Sinks, run_with};
use bedside_loadgen::measure::{Board, Histogram, Measurements};
use bedside_loadgen::pacing::Clock;
use bedside_loadgen::scenario::{Fixed, PacketsPerFrame, Scenario, TrackSpec};
use bedside_loadgen::{Stop, Target};
use bedside_protocol::{DataplaneConfig, MediaKind, Policy};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Processors of the data plane and of the generator.
const SERVER: &str = "0";
const GENERATOR: usize = 1;

struct Server {
    child: Child,
    socket: std::path::PathBuf,
}

impl Server {
    fn start(program: &str) -> Result<Self> {
        let socket = std::env::temp_dir().join(format!("fleet-{}.socket", std::process::id()));
        let mut child = Command::new("taskset")
            .args(["-c", SERVER, program, "--socket"])
            .arg(&socket)
            .stderr(Stdio::piped())
            .spawn()
            .context("taskset cannot start the data plane")?;
        let mut log = BufReader::new(child.stderr.take().context("no log")?);
        let mut line = String::new();
        while !line.contains("waiting for a control plane") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                bail!("the data plane ended");
            }
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { child, socket })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.socket));
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [
            program,
            "fan-out",
            subscribers,
            packets,
            frames,
            seconds,
            ref rest @ ..,
        ] => {
            let sinks = match rest {
                ["drop"] => Sinks::DropInKernel { pass_one_in: 64 },
                _ => Sinks::Read { open_one_in: 64 },
            };
            let track = TrackSpec::Fixed(Fixed {
                packet_bytes: 1_200,
                packets_per_frame: PacketsPerFrame {
                    min: packets.parse()?,
                    max: packets.parse()?,
                },
                fps: frames.parse()?,
            });
            fan_out(
                &Server::start(program)?,
                track,
                subscribers.parse()?,
                seconds.parse()?,
                sinks,
            )
        }
        [program, "consult", rooms, seconds] => scenario(
            &Server::start(program)?,
            &format!(
                "name = \"consult\"\nduration = \"{seconds}s\"\n[[rooms]]\ncount = {rooms}\n\
                 join = {{ rate_per_second = 200 }}\n[[rooms.participants]]\ncount = 2\n\
                 publish = [{{ audio = {{ dtx = false }} }}, {{ video = {{ fps = 30, layers = \
                 [{{ width = 640, height = 360, bitrate = \"700k\" }}] }} }}]\n"
            ),
            seconds.parse()?,
        ),
        [program, "storm", rate, seconds] => {
            let seconds_number: u64 = seconds.parse()?;
            let rooms = rate.parse::<u64>()? * seconds_number / 2;
            scenario(
                &Server::start(program)?,
                &format!(
                    "name = \"storm\"\nduration = \"{seconds}s\"\n[[rooms]]\ncount = 50\n\
                     [[rooms.participants]]\ncount = 2\npublish = [{{ audio = {{ dtx = false }} \
                     }}]\n[[rooms]]\ncount = {rooms}\njoin = {{ rate_per_second = {rate} }}\n\
                     [[rooms.participants]]\ncount = 2\npublish = [{{ audio = {{}} }}]\n"
                ),
                seconds_number + 1,
            )
        }
        _ => bail!("see the beginning of this file"),
    }
}

fn config() -> Result<DataplaneConfig> {
    Ok(DataplaneConfig {
        workers: 1,
        listen: vec!["127.0.0.1".parse()?],
        port: 0,
        pin: true,
        policy: Policy::default(),
    })
}

fn fan_out(
    server: &Server,
    track: TrackSpec,
    subscribers: u32,
    seconds: u64,
    sinks: Sinks,
) -> Result<()> {
    let mut dataplane = Dataplane::connect(&server.socket, config()?)?;
    let mut fleet = Fleet::new(FleetConfig {
        processor: Some(GENERATOR),
        sinks,
        seed: 1,
    })?;
    let worker = dataplane.worker_for(0);
    let room = dataplane.make_room(worker)?;
    let publishes = [Publication {
        track,
        ssrc: 0x1000,
        payload_type: 96,
    }];
    let publisher = fleet.join_dataplane(&mut dataplane, room, &publishes, &[])?;
    for number in 0..subscribers {
        let reception = Reception {
            ssrc: 0x2000 + number,
            kind: MediaKind::Video,
            clock_hz: 90_000,
        };
        fleet.join_dataplane(
            &mut dataplane,
            room,
            &[],
            &[(publisher.tracks[0], reception)],
        )?;
    }
    let board = Arc::new(Board::new(Clock::now_ns()));
    fleet.run_for(Duration::from_secs(2), &board)?;
    board.reset(Clock::now_ns());
    let watch = Watch::start(&server.socket)?;
    let before = fleet.delivered();
    fleet.run_for(Duration::from_secs(seconds), &board)?;
    let after = fleet.delivered();
    watch.print(
        &board.snapshot(),
        after.packets - before.packets,
        after.dropped_in_kernel - before.dropped_in_kernel,
    )
}

fn scenario(server: &Server, text: &str, seconds: u64) -> Result<()> {
    let scenario = Scenario::parse(text, Path::new("example"))?;
    let target = Target::Dataplane {
        socket: server.socket.clone(),
        listen: "127.0.0.1".parse()?,
        workers: 1,
        pin: true,
    };
    let board = Arc::new(Board::new(Clock::now_ns()));
    let stop = Stop::new();
    let joins = scenario.plan().last_join();
    std::thread::scope(|scope| {
        let (player_board, player_stop) = (&board, stop.clone());
        let (scenario, target) = (&scenario, &target);
        let player = scope.spawn(move || {
            let config = FleetConfig {
                processor: Some(GENERATOR),
                sinks: Sinks::Read { open_one_in: 8 },
                seed: 1,
            };
            run_with(config, scenario, target, player_board, &player_stop)
        });
        // Joins are part of a storm; a consult is measured once everybody is there.
        if !scenario.name.contains("storm") {
            std::thread::sleep(joins + Duration::from_secs(3));
            let joined = board.snapshot();
            println!("join (ms): {}", quantiles(&joined.join));
            board.reset(Clock::now_ns());
        }
        let watch = Watch::start(&server.socket)?;
        std::thread::sleep(Duration::from_secs(seconds));
        let measured = board.snapshot();
        let packets = measured.packets_received;
        watch.print(&measured, packets, 0)?;
        stop.stop();
        match player.join() {
            Ok(result) => Ok(result?),
            Err(_) => bail!("the generator panicked"),
        }
    })
}

/// The run time of both sides.
struct Watch {
    server: Process,
    own: Process,
    before: (
        bedside_loadgen::kernel::Sample,
        bedside_loadgen::kernel::Sample,
    ),
}

impl Watch {
    fn start(socket: &Path) -> Result<Self> {
        let (server, own) = (Process::listening_on(socket)?, Process::own()?);
        let before = (server.sample()?, own.sample()?);
        Ok(Self {
            server,
            own,
            before,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn print(&self, measured: &Measurements, packets: u64, dropped: u64) -> Result<()> {
        let server = Cost::between(&self.before.0, &self.server.sample()?);
        let own = Cost::between(&self.before.1, &self.own.sample()?);
        let seconds = own.elapsed.as_secs_f64();
        println!(
            "{:.0} packets/s delivered, {:.0} sent, {} lost, {} forged, {} joined, {:.1} % frozen",
            packets as f64 / seconds,
            measured.packets_sent as f64 / seconds,
            measured.lost(),
            measured.forged,
            measured.joined,
            measured.frozen_ns as f64 * 100.0 / measured.watched_ns.max(1) as f64,
        );
        println!(
            "server {:.3} cores, {:.0} ns a packet; generator {:.3} cores; dropped by kernel {dropped}",
            server.cores(),
            server.run_time_ns as f64 / packets.max(1) as f64,
            own.cores(),
        );
        println!("lateness (ms):   {}", quantiles(&measured.lateness));
        println!("forwarding (ms): {}", quantiles(&measured.forwarding));
        println!("latency (ms):    {}", quantiles(&measured.latency()));
        println!("join (ms):       {}", quantiles(&measured.join));
        println!("first frame (ms): {}", quantiles(&measured.first_frame));
        println!("failures: {:?}", measured.failures);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn quantiles(histogram: &Histogram) -> String {
    let at = |quantile| histogram.quantile_ns(quantile) as f64 / 1e6;
    format!(
        "p50 {:.3} p99 {:.3} p99.9 {:.3} max {:.3} of {}",
        at(0.5),
        at(0.99),
        at(0.999),
        histogram.max_ns() as f64 / 1e6,
        histogram.count()
    )
}
