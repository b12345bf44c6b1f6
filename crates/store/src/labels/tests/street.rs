//! What a frame of a real street takes.

use super::*;

/// A cheap hash as noise.
fn noise(a: usize, b: usize) -> u32 {
    let mut x = (a as u32).wrapping_mul(0x9e37_79b9) ^ (b as u32).wrapping_mul(0x85eb_ca6b);
    x ^= x >> 15;
    x = x.wrapping_mul(0x2c1b_3c6d);
    x ^ x >> 13
}

/// A street as a lidar of 64 beams and cameras see it: rough ground, two rows of houses with doorways,
/// trees, parked and moving cars. What lies behind something is not observed, borders are ragged, and one
/// voxel in two hundred is wrong.
fn street() -> Occupancy {
    let grid = GridSpec::default();
    let mut occupancy = Occupancy::unobserved(grid);
    let [nx, ny, nz] = grid.size.map(|n| n as usize);
    let house = |x: usize, y: usize| {
        let front = 12 + noise(x / 40, 1) as usize % 6;
        !(y >= 170 - front && y <= 330 + front || x % 40 < 4)
    };
    let tree = |x: usize, y: usize| x % 60 < 12 && (y / 3 == 60 || y / 3 == 106);
    let car =
        |x: usize, y: usize| x % 35 < 22 && ((200..209).contains(&y) || (291..300).contains(&y));
    let mover = |x: usize, y: usize| (x % 150 < 22) && (235..244).contains(&y);
    for x in 0..nx {
        for y in 0..ny {
            let ground = 10 + noise(x / 25, y / 25) as usize % 2;
            let range = (x as f64 - 250.0).hypot(y as f64 - 250.0);
            let hidden = !(165..335).contains(&y) && !noise(x / 3, 7).is_multiple_of(4);
            let sparse = (noise(x, y) % 1000) as f64 > 1100.0 - 2.2 * range;
            for z in 0..nz {
                let index = grid.index([x as u32, y as u32, z as u32]);
                let speckle = noise(index, 3).is_multiple_of(200);
                let top = ground
                    + if house(x, y) {
                        40
                    } else if tree(x, y) && z > ground + 12 {
                        26
                    } else if car(x, y) || mover(x, y) {
                        8
                    } else {
                        1
                    };
                let solid =
                    z >= ground && z < top && !(tree(x, y) && noise(index, 5).is_multiple_of(3));
                let shell = z == ground || !house(x, y) || noise(x, y / 2).is_multiple_of(5);
                let seen = z + 1 >= ground && !hidden && !sparse && shell || speckle;
                occupancy.observed.set(index, seen);
                occupancy.occupied.set(index, seen && (solid || speckle));
            }
        }
    }
    let mut flow = Vec::new();
    for (rank, index) in occupancy.occupied.ones().enumerate() {
        let [x, y, _] = grid.cell(index).map(|c| c as usize);
        let class = if house(x, y) {
            12
        } else if car(x, y) || mover(x, y) {
            3
        } else {
            9 + (noise(index, 9).is_multiple_of(50)) as u8
        };
        occupancy.classes.push(ClassId(class));
        if mover(x, y) {
            let jitter = (noise(index, 11) % 1000) as f32 / 1e4;
            flow.push(VoxelFlow { rank: rank as u32, velocity_m_s: [9.0 + jitter, -jitter, 0.01] });
        }
    }
    occupancy.flow = Some(flow);
    occupancy
}

#[test]
fn a_street_takes_less_than_16_mib_in_memory_and_1_mib_on_disk() {
    let occupancy = street();
    assert_eq!(occupancy.check(), Ok(()));
    let memory = occupancy.heap_bytes();
    assert!(memory < 16 << 20, "{memory} bytes in memory");
    let row = VoxelsRow { timestamp: Timestamp(0), occupancy };
    let start = std::time::Instant::now();
    let bytes = parquet_write::encode(std::slice::from_ref(&row)).unwrap();
    let encode = start.elapsed();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("voxels.parquet");
    std::fs::write(&path, &bytes).unwrap();
    let start = std::time::Instant::now();
    let read = TableReader::<VoxelsRow>::open(&path).unwrap().at(Timestamp(0)).unwrap();
    let occupancy = &row.occupancy;
    println!(
        "{} observed, {} occupied, {} moving: {memory} bytes in memory, {} on disk, encoded in {encode:?}, decoded in {:?}",
        occupancy.observed.count(),
        occupancy.occupied.count(),
        occupancy.flow.as_ref().map_or(0, Vec::len),
        bytes.len(),
        start.elapsed()
    );
    assert!(bytes.len() < 1 << 20, "{} bytes on disk", bytes.len());
    assert_eq!(read, [row]);
}
