//! Marks that lines carry: what stands before them, and where messages say that they belong.

/// A line without what a tool puts before the lines of another: `#7 0.512 ` of docker build,
/// `web-1  | ` of compose, `==1234== ` of valgrind and the sanitizers.
pub(super) fn peel(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('#') {
        let mut words = rest.splitn(3, ' ');
        let step = words.next().is_some_and(|word| number(word, false));
        let time = words.next().is_some_and(|word| number(word, true));
        if let (true, true, Some(rest)) = (step, time, words.next()) {
            return rest;
        }
    }
    // `==1234== ` of valgrind.
    if let Some((process, rest)) = text
        .strip_prefix("==")
        .and_then(|rest| rest.split_once("== "))
        && process.bytes().all(|byte| byte.is_ascii_digit())
    {
        return rest;
    }
    if let Some((service, rest)) = text.split_once("  | ")
        && !service.is_empty()
        && service
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_ ".contains(&b))
    {
        return rest;
    }
    text
}

fn number(word: &str, with_point: bool) -> bool {
    !word.is_empty()
        && word.contains('.') == with_point
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `path:12: …` or `path:12:5: …`, as compilers begin their messages.
pub(super) fn is_located(body: &str) -> bool {
    let body = body.trim_start();
    let Some((path, rest)) = body.split_once(':') else {
        return false;
    };
    let is_path = path.contains(['.', '/']) && !path.contains(' ');
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    is_path
        && digits > 0
        && rest
            .as_bytes()
            .get(digits)
            .is_some_and(|byte| *byte == b':')
}

/// `F401 …`, as linters begin their messages.
pub(super) fn is_coded(body: &str) -> bool {
    let code = body.split(' ').next().unwrap_or_default();
    let letters = code.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = code
        .bytes()
        .skip(letters)
        .filter(u8::is_ascii_digit)
        .count();
    (1..=4).contains(&letters) && (3..=4).contains(&digits) && letters + digits == code.len()
}

/// Marks of failure inside a report: pytest's `E   …` and `>   …`.
pub(super) fn is_marked(body: &str) -> bool {
    ["E  ", ">  "].iter().any(|mark| body.starts_with(mark)) || is_located(body)
}

/// A heading inside a section, such as `____ test_name ____`.
pub(super) fn is_heading(body: &str) -> bool {
    body.starts_with("____") || body.starts_with("----") || body.starts_with("======")
}

/// The progress that tools mix into a listing: rsync's and curl's.
pub(super) fn is_bar_only(text: &str) -> bool {
    text.contains("xfr#") || text.contains("--:--:--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_line_is_taken_off() {
        assert_eq!(peel("#7 0.512 npm error x"), "npm error x");
        assert_eq!(peel("#7 DONE 0.1s"), "#7 DONE 0.1s");
        assert_eq!(peel("web-1  | Error: x"), "Error: x");
        assert_eq!(
            peel("==12== Invalid read of size 4"),
            "Invalid read of size 4"
        );
        assert_eq!(peel("== 3 == 4"), "== 3 == 4");
        assert_eq!(peel("12 | let x"), "12 | let x");
    }

    #[test]
    fn places_and_codes_are_told_from_prose() {
        assert!(is_located("src/a.c:12:5: x") && is_located("./a.go:3: x"));
        assert!(!is_located("12:30:45: x") && !is_located("see a.c: x"));
        assert!(is_coded("F401 unused") && is_coded("SIM102 x") && !is_coded("HTTP 404"));
    }
}
