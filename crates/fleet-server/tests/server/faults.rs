//! Servers that are killed: no report is lost, none counts twice.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ommatidia_fleet_server::{Moment, router};

use crate::stand::{NOW, Stand, databases, open, report};

#[tokio::test]
async fn cut_off_at_any_moment_reports_count_once() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let vehicle = stand.vehicle("VIN1", &[]).await;
        let mut expected = 0;
        for (round, moment) in Moment::ALL.into_iter().cycle().take(12).enumerate() {
            // A server that dies there once, and one that takes its place.
            let left = Arc::new(AtomicU64::new(1));
            let fault = {
                let left = left.clone();
                let dies = move |at| at == moment && left.swap(0, Ordering::Relaxed) == 1;
                Arc::new(dies)
            };
            let sequence = 10 * round as u64;
            let reports: Vec<_> = (1..=10).map(|i| report(sequence + i, "net-1", 1)).collect();
            let dying =
                open(&database, stand.files.path(), &stand.clock, Some(fault), |_| {}).await;
            let app = router(dying);
            vehicle.report(&app, NOW, &reports).await.expect(503);
            assert_eq!(left.load(Ordering::Relaxed), 0, "{moment:?} was never reached");
            drop(app);
            // What was committed before the answer was lost is known; else it counts now.
            let again = vehicle.report(&stand.app, NOW, &reports).await.expect(200).json();
            let counted = if moment == Moment::Committed { 0 } else { 10 };
            assert_eq!(again["counted"], counted, "{moment:?}");
            expected += 10;
            let tallies = stand.tallies().await;
            assert_eq!(tallies, [("net-1".to_owned(), expected, 3600 * expected, expected)]);
        }
    }
}

const CHILD: &str = "OMMATIDIA_TEST_FLEET_DATABASE";

/// Not a test of its own: the process that [`killed_processes_lose_nothing`] starts and kills.
#[tokio::test]
async fn child() {
    let Ok(database) = std::env::var(CHILD) else { return };
    let clock = Arc::new(AtomicU64::new(NOW));
    let folder = tempfile::tempdir().unwrap();
    let listen = |settings: &mut ommatidia_fleet_server::Settings| {
        settings.listen = "127.0.0.1:0".to_owned();
    };
    let server = open(&database, folder.path(), &clock, None, listen).await;
    let listener = ommatidia_fleet_server::listen::Listener::bind(&server).await.unwrap();
    println!("\naddress {}", listener.address().unwrap());
    listener.serve(server, std::future::pending()).await;
}

#[tokio::test]
async fn killed_processes_lose_nothing() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let vehicle = stand.vehicle("VIN1", &[]).await;
        let (mut sent, mut answered, mut round) = (0u64, 0u64, 0u64);
        while answered < 300 {
            round += 1;
            assert!(round < 60, "no server lives long enough to answer");
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["faults::child", "--exact", "--nocapture"])
                .env(CHILD, &database)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let address = address(child.stdout.take().unwrap());
            let killer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(3 + 7 * (round % 10)));
                child.kill().unwrap();
                child.wait().unwrap();
            });
            while answered < 300 {
                // In order, as vehicles do: the next batch when the last one was answered.
                if sent == answered {
                    sent += 10;
                }
                let reports: Vec<_> = (sent - 9..=sent).map(|i| report(i, "net-1", 1)).collect();
                match crate::sockets::report(&address, &vehicle, &reports).await {
                    Some(200) => answered = sent,
                    Some(status) => panic!("{status}"),
                    None => break,
                }
            }
            tokio::task::spawn_blocking(|| killer.join().unwrap()).await.unwrap();
        }
        assert!(round > 1, "no server was killed at work");
        assert_eq!(stand.tallies().await, [("net-1".to_owned(), 300, 3600 * 300, 300)]);
    }
}

fn address(stdout: std::process::ChildStdout) -> String {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(stdout).lines();
    let found = lines.find_map(|line| Some(line.ok()?.strip_prefix("address ")?.to_owned()));
    // Somebody must go on reading, or the child stops at a full pipe; it writes no more.
    found.expect("the child says where it listens")
}
