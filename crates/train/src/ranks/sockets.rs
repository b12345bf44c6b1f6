//! Ranks as processes that reach each other through local sockets.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;
use crate::collective::Collective;

/// Between looks for a rank that is not there yet, and how many there are: two minutes.
const PAUSE: Duration = Duration::from_millis(20);
const LOOKS: u32 = 6000;

/// One of several processes of one machine.
#[derive(Debug)]
pub struct Sockets {
    rank: usize,
    /// To each other rank; `None` to itself.
    peers: Vec<Option<UnixStream>>,
}

impl Sockets {
    /// Joins `size` ranks that meet in a folder, where each puts a socket of its own.
    ///
    /// # Errors
    /// [`Error::Ranks`] if they are no power of two, or one does not come within two minutes.
    pub fn join(folder: &Path, rank: usize, size: usize) -> Result<Self, Error> {
        Self::join_within(LOOKS, folder, (rank, size))
    }

    fn join_within(looks: u32, folder: &Path, (rank, size): (usize, usize)) -> Result<Self, Error> {
        if !size.is_power_of_two() || rank >= size {
            return Err(Error::Ranks(format!(
                "rank {rank} of {size}: give a power of two of ranks, numbered from 0"
            )));
        }
        let place = |rank: usize| -> PathBuf { folder.join(format!("rank_{rank}.socket")) };
        let own = place(rank);
        // Of a rank that was killed.
        let _ = std::fs::remove_file(&own);
        let unable = |what: &str, cause: std::io::Error| {
            Error::Ranks(format!("rank {rank} cannot {what} ({cause})"))
        };
        let listener = UnixListener::bind(&own)
            .map_err(|cause| unable(&format!("open {}", own.display()), cause))?;
        let mut peers: Vec<Option<UnixStream>> = (0..size).map(|_| None).collect();
        for other in 0..rank {
            let mut stream = connect(&place(other), other, looks)?;
            stream
                .write_all(&(rank as u64).to_le_bytes())
                .map_err(|cause| unable(&format!("greet rank {other}"), cause))?;
            peers[other] = Some(stream);
        }
        for _ in rank + 1..size {
            let mut stream = accept(&listener, looks).map_err(|cause| {
                let missing = (rank + 1..size).filter(|&other| peers[other].is_none());
                let missing: Vec<String> = missing.map(|other| other.to_string()).collect();
                unable(&format!("wait longer for ranks {}", missing.join(", ")), cause)
            })?;
            let mut greeting = [0; 8];
            let heard = stream
                .set_read_timeout(Some(PAUSE * looks))
                .and_then(|()| stream.read_exact(&mut greeting))
                .and_then(|()| stream.set_read_timeout(None));
            heard.map_err(|cause| unable("hear a greeting", cause))?;
            let other = u64::from_le_bytes(greeting) as usize;
            if other <= rank || other >= size {
                return Err(Error::Ranks(format!(
                    "somebody greeted rank {rank} as rank {other} of {size}"
                )));
            }
            peers[other] = Some(stream);
        }
        let _ = std::fs::remove_file(&own);
        Ok(Self { rank, peers })
    }
}

/// Lets a rank in, which may not be there yet.
fn accept(listener: &UnixListener, most: u32) -> std::io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let mut looks = 0;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(cause) if cause.kind() != ErrorKind::WouldBlock || looks == most => {
                return Err(cause);
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
        looks += 1;
    }
}

/// Reaches a rank, which may not be there yet.
fn connect(place: &Path, other: usize, most: u32) -> Result<UnixStream, Error> {
    let mut looks = 0;
    loop {
        match UnixStream::connect(place) {
            Ok(stream) => return Ok(stream),
            Err(cause) if looks == most => {
                return Err(Error::Ranks(format!("rank {other} did not come ({cause})")));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
        looks += 1;
    }
}

impl Collective for Sockets {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.peers.len()
    }

    fn swap(&mut self, partner: usize, row: &[f32]) -> Result<Vec<f32>, Error> {
        let gone = |cause: std::io::Error| {
            Error::Ranks(format!(
                "rank {partner} ended ({cause}); see why in its own messages, then start all with --resume"
            ))
        };
        let first = self.rank < partner;
        let stream = self.peers[partner].as_mut().expect("no rank swaps with itself");
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut other = vec![0; bytes.len()];
        // One writes while the other reads: a socket holds less than a row.
        if first {
            stream.write_all(&bytes).map_err(gone)?;
            stream.read_exact(&mut other).map_err(gone)?;
        } else {
            stream.read_exact(&mut other).map_err(gone)?;
            stream.write_all(&bytes).map_err(gone)?;
        }
        Ok(other.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_sum_as_threads_do_and_notice_who_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let row = |rank: usize| -> Vec<f32> {
            (0..100_000).map(|i| (i * (rank + 1)) as f32 * 0.1).collect()
        };
        let one = |rank: usize| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                let mut ranks = Sockets::join(&folder, rank, 4).unwrap();
                let sum = crate::collective::sum(&mut ranks, row(rank)).unwrap();
                // Rank 2 leaves; whoever wants something of it hears so.
                let left = (rank != 2).then(|| ranks.swap(2, &[0.0; 4]));
                (sum, left)
            })
        };
        let running: Vec<_> = [3, 1, 0].into_iter().map(one).chain([one(2)]).collect();
        let mut sums: Vec<_> = running.into_iter().map(|rank| rank.join().unwrap()).collect();
        let rows: Vec<Vec<f32>> = (0..4).map(row).collect();
        let expected: Vec<f32> =
            (0..50).map(|i| (rows[0][i] + rows[1][i]) + (rows[2][i] + rows[3][i])).collect();
        for (sum, _) in &sums {
            assert_eq!(sum[..50], expected);
        }
        let (_, gone) = sums.remove(0);
        let error = gone.unwrap().unwrap_err().to_string();
        assert!(error.contains("rank 2 ended"), "{error}");
    }

    #[test]
    fn who_does_not_come_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let check = |rank: usize, words: &str| {
            let error = Sockets::join_within(2, folder.path(), (rank, 4)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check(0, "wait longer for ranks 1, 2, 3");
        check(1, "rank 0 did not come");
    }
}
