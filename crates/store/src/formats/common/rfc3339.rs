//! Times as text.

const SECOND_NS: i128 = 1_000_000_000;

/// Nanoseconds since 1970 of `2019-06-27T13:37:25.000279Z`; `None` if it is not written so. Years 0 to
/// 9999, so that the result may lie outside what 64 bits hold. RFC 3339, section 5.6; UTC only.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = fields(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = fields(time, ':')?;
    let valid = year <= 9999
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 9;
    if !valid || !digits {
        return None;
    }
    let nanoseconds: i128 = format!("{fraction:0<9}").parse().ok()?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(i128::from(seconds) * SECOND_NS + nanoseconds)
}

fn fields(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut numbers = text.split(separator).map(|field| {
        let plain = !field.is_empty() && field.len() <= 4;
        (plain && field.bytes().all(|byte| byte.is_ascii_digit())).then(|| field.parse().ok())?
    });
    let result = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(result)
}

/// Days from 1970-01-01 in the Gregorian calendar. Howard Hinnant, `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-03-01T00:00:00.5Z", 951_868_800_500_000_000),
            ("2019-06-27T14:17:25.002790Z", 1_561_645_045_002_790_000),
            ("2464-11-12T01:04:10.027900Z", 15_616_458_250_027_900_000),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "now", "2019-06-27", "2019-13-01T00:00:00Z", "2019-06-27T14:17:25+01:00"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
