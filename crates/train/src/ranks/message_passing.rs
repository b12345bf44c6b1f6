//! Ranks of an MPI job, on one machine or many: started by `mpirun` or `srun`.

use mpi::environment::Universe;
use mpi::point_to_point::send_receive_into;
use mpi::topology::{Communicator, SimpleCommunicator};

use crate::Error;
use crate::collective::Collective;

/// One rank of an MPI job.
pub struct Mpi {
    world: SimpleCommunicator,
    /// Ends MPI when dropped, after everything else.
    _universe: Universe,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mpi(rank {} of {})", self.world.rank(), self.world.size())
    }
}

impl Mpi {
    /// Joins the job that this process was started in; alone where it was not started in one.
    ///
    /// # Errors
    /// [`Error::Ranks`] if MPI was started before, or there is no power of two of ranks.
    pub fn join() -> Result<Self, Error> {
        let universe = mpi::initialize()
            .ok_or_else(|| Error::Ranks("MPI was started twice in one process".to_owned()))?;
        let world = universe.world();
        let size = world.size() as usize;
        if !size.is_power_of_two() {
            return Err(Error::Ranks(format!("{size} ranks; start a power of two of them")));
        }
        Ok(Self { world, _universe: universe })
    }

    /// Ends the whole job with an exit code: the other ranks would wait for this one for ever.
    pub fn abort(&self, code: u8) -> ! {
        self.world.abort(i32::from(code))
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn swap(&mut self, partner: usize, row: &[f32]) -> Result<Vec<f32>, Error> {
        let partner = self.world.process_at_rank(partner as i32);
        let mut other = vec![0.0; row.len()];
        send_receive_into(row, &partner, &mut other[..], &partner);
        Ok(other)
    }
}
