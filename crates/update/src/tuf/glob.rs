//! Patterns of delegations: `*` and `?` stand for anything but `/`.

/// Whether the whole of `path` matches. Takes time proportional to the product of the lengths at most.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on if the last star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while t < path.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
            continue;
        }
        if pattern.get(p).is_some_and(|c| *c == path[t] || (*c == b'?' && path[t] != b'/')) {
            (p, t) = (p + 1, t + 1);
            continue;
        }
        match retry {
            Some((star, taken)) if path[taken] != b'/' => {
                retry = Some((star, taken + 1));
                (p, t) = (star + 1, taken + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let check = |pattern, path, expected| {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}")
        };
        check("a/*.omma", "a/b.omma", true);
        check("*.omma", "a/b.omma", false);
        check("a/*/c", "a/b/b/c", false);
        check("a?c", "abc", true);
        check("a?c", "a/c", false);
        check("*a*b*", "xaxbx", true);
        check("*", "", true);
        check("", "a", false);
    }
}
