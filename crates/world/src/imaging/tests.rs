use super::*;

const SIZE: [usize; 2] = [96, 64];

fn flat(radiance: f32) -> LinearImage {
    LinearImage::new(SIZE[0], SIZE[1], vec![[radiance; 3]; SIZE[0] * SIZE[1]])
}

fn ideal() -> CameraImaging {
    let none =
        CameraImaging { vignetting: 0.0, glare: 0.0, softness_px: 0.0, ..Default::default() };
    CameraImaging { noise: false, ..none }
}

fn picture(config: &CameraImaging, light: &LinearImage, shot: &Shot) -> RgbImage {
    let imager = Imager::new(config, light.width, light.height, 5).unwrap();
    imager.develop(light, &imager.meter(light), shot)
}

fn mean(image: &RgbImage) -> f64 {
    image.data.iter().map(|&v| f64::from(v)).sum::<f64>() / image.data.len() as f64
}

#[test]
fn exposure_brings_day_and_dusk_to_the_same_grey_and_leaves_night_dark() {
    let grey = |radiance| mean(&picture(&ideal(), &flat(radiance), &Shot::default()));
    assert!((grey(0.3) - grey(0.15)).abs() < 2.0, "{} {}", grey(0.3), grey(0.15));
    assert!((90.0..135.0).contains(&grey(0.15)), "{}", grey(0.15));
    assert!(grey(1e-3) < grey(0.1) && grey(1e-3) > 50.0, "{}", grey(1e-3));
    assert!(grey(1e-7) < 20.0);
}

#[test]
fn noise_has_the_variance_of_photons_and_reading() {
    let config = CameraImaging { noise: true, ..ideal() };
    let imager = Imager::new(&config, SIZE[0], SIZE[1], 9).unwrap();
    for radiance in [1e-5f32, 1e-3, 0.2] {
        let exposure = imager.meter(&flat(radiance));
        let mut values = Vec::new();
        for y in 0..200u64 {
            let mut row = vec![[radiance; 3]; 64];
            sensor::expose(&mut row, &exposure, &config, mix(y));
            values.extend(row.iter().flatten().map(|&v| f64::from(v / exposure.per_radiance)));
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let electrons = f64::from(config.electrons_per_s * exposure.time_s);
        let signal = f64::from(radiance) * electrons;
        let expected = (signal + f64::from(config.read_noise).powi(2)) / electrons.powi(2);
        assert!((variance / expected - 1.0).abs() < 0.05, "{radiance}: {variance} {expected}");
        assert!((mean - f64::from(radiance)).abs() < 4.0 * (expected / count).sqrt());
    }
}

#[test]
fn frames_and_cameras_have_noise_of_their_own_that_repeats() {
    let config = CameraImaging { raindrops: 0.2, dirt: 0.1, ..Default::default() };
    let take = |seed: u64, frame: u64, threads: usize| {
        let imager = Imager::new(&config, SIZE[0], SIZE[1], seed).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let shot = Shot { frame, rain_mm_h: 8.0, speed_m_s: 9.0, ..Default::default() };
        pool.install(|| imager.develop(&flat(0.2), &imager.meter(&flat(0.2)), &shot))
    };
    assert_eq!(take(1, 0, 1), take(1, 0, 3));
    assert_ne!(take(1, 0, 1), take(1, 1, 1));
    assert_ne!(take(1, 0, 1), take(2, 0, 1));
}

#[test]
fn corners_lose_what_vignetting_says() {
    let fall_off = lens::FallOff::new(SIZE[0], SIZE[1], 0.4);
    let mut row = vec![[1.0; 3]; SIZE[0]];
    fall_off.apply(0, &mut row);
    assert!((row[0][1] - 0.6).abs() < 0.02, "{}", row[0][1]);
    let mut middle = vec![[1.0; 3]; SIZE[0]];
    fall_off.apply(SIZE[1] / 2, &mut middle);
    assert!(middle[SIZE[0] / 2][1] > 0.999);
}

#[test]
fn glare_keeps_the_light_and_spreads_it() {
    let mut light = flat(0.0);
    light.rgb[32 * SIZE[0] + 48] = [100.0; 3];
    let glare = lens::Glare::new(&light, 0.1);
    let mut total = 0.0;
    for y in 0..SIZE[1] {
        let mut row = light.rgb[y * SIZE[0]..(y + 1) * SIZE[0]].to_vec();
        glare.add(y, &mut row);
        total += row.iter().map(|pixel| f64::from(pixel[0])).sum::<f64>();
        if y == 20 {
            assert!(row[48][0] > row[5][0] && row[48][0] > 1e-3);
        }
    }
    assert!((total - 100.0).abs() < 2.0, "{total}");
}

#[test]
fn motion_blur_spreads_an_edge_over_the_path_and_leaves_still_pixels() {
    let mut light = flat(0.0);
    for pixel in light.rgb.iter_mut().enumerate().filter(|(i, _)| i % SIZE[0] >= 48) {
        *pixel.1 = [1.0; 3];
    }
    let moving = motion_blur(&light, &vec![[16.0, 0.0]; light.rgb.len()], 0.5);
    let row = &moving.rgb[10 * SIZE[0]..11 * SIZE[0]];
    assert_eq!((row[42][0], row[53][0]), (0.0, 1.0));
    assert!(
        row.windows(2).all(|pair| pair[1][0] >= pair[0][0]) && (0.3..0.7).contains(&row[48][0])
    );
    assert_eq!(motion_blur(&light, &vec![[0.0, 0.0]; light.rgb.len()], 0.5), light);
    assert_eq!(motion_blur(&light, &vec![[f32::NAN; 2]; light.rgb.len()], 0.5), light);
}

#[test]
fn dirt_and_drops_cover_about_what_they_should() {
    let dirt = lens::Dirt::new(200, 150, 0.15, 3);
    let mut touched = 0;
    for y in 0..150 {
        let mut row = vec![[1.0; 3]; 200];
        dirt.cover(y, &mut row, [0.0; 3]);
        touched += row.iter().filter(|pixel| pixel[0] < 0.9).count();
    }
    assert!((0.08..0.35).contains(&(touched as f64 / 30_000.0)), "{touched}");
}

#[test]
fn numbers_out_of_bounds_are_named() {
    let check = |config: CameraImaging, field: &str| {
        let message = config.check().unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    };
    check(CameraImaging { key: f32::NAN, ..Default::default() }, "key");
    check(CameraImaging { dirt: 1.5, ..Default::default() }, "dirt");
    check(CameraImaging { max_exposure_s: 0.0, ..Default::default() }, "max_exposure_s");
    CameraImaging::default().check().unwrap();
}
