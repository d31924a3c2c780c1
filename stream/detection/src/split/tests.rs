use proptest::prelude::*;

use super::*;

/// What a splitter gives, as text: `r` for a record, `t` for one too large, `x` for the truncated end.
fn cut(input: &[u8], chunk: usize, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut splitter = Splitter::new(limit);
    let mut sink = |part: Part<'_>| {
        parts.push(match part {
            Part::Record { offset, bytes } => format!("r{offset} {}", String::from_utf8_lossy(bytes)),
            Part::TooLarge { offset, length } => format!("t{offset} {length}"),
            Part::Truncated { offset, bytes } => format!("x{offset} {}", String::from_utf8_lossy(bytes)),
        });
    };
    for piece in input.chunks(chunk) {
        splitter.push(piece, &mut sink);
    }
    splitter.finish(&mut sink);
    parts
}

#[test]
fn a_stream_is_cut_into_its_records_whatever_the_chunks() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        (" \r\n\n", &[]),
        ("{\"a\":1}\n{\"b\":2}\n", &["r0 {\"a\":1}", "r8 {\"b\":2}"]),
        ("{\"a\":1}\r\n\r\n{\"b\":2}", &["r0 {\"a\":1}", "r11 {\"b\":2}"]),
        ("\u{feff}{\"a\":1}", &["r3 {\"a\":1}"]),
        ("{\"a\":1}{\"b\":\"}{\"} [3]", &["r0 {\"a\":1}", "r7 {\"b\":\"}{\"}", "r19 3"]),
        (
            "{\n  \"a\": {\"b\": 1}\n, \"c\": 2\n}\n{\"d\":{}\n,\"e\":1}\n",
            &["r0 {\n  \"a\": {\"b\": 1}\n, \"c\": 2\n}", "r29 {\"d\":{}\n,\"e\":1}"],
        ),
        ("{ \"Records\" : [ {\"a\":1} ,\n{\"b\":[\"]\"]}]}\n", &["r16 {\"a\":1}", "r26 {\"b\":[\"]\"]}"]),
        ("{\"Records\":[]}{\"Records\":[{\"a\":1}]}", &["r26 {\"a\":1}"]),
        (
            "{\"Records\":[{\"a\":1}],\"x\":{\"y\":2}}{\"b\":1}",
            &["r12 {\"a\":1}", "r20 ,\"x\":{\"y\":2}}", "r33 {\"b\":1}"],
        ),
        ("{\"Recordz\":[{\"a\":1}]}", &["r0 {\"Recordz\":[{\"a\":1}]}"]),
        ("[{\"a\":1},\"t\\\"x\",null,[2]]\n[3]", &["r1 {\"a\":1}", "r9 \"t\\\"x\"", "r16 null", "r21 [2]", "r27 3"]),
        ("{\"a\":\"cut off\n{\"b\":2}\n", &["r0 {\"a\":\"cut off", "r14 {\"b\":2}"]),
        ("{\"a\":{\"b\":1\n{\"c\":2}\n", &["r0 {\"a\":{\"b\":1\n", "r12 {\"c\":2}"]),
        ("{\"Records\":[{\"a\":1},{\"b\":", &["r12 {\"a\":1}", "x20 {\"b\":"]),
        ("{\"Records\":[{\"a\":1},", &["r12 {\"a\":1}", "x20 "]),
        ("{\"Records\":[{\"a\":1}]", &["r12 {\"a\":1}", "x20 "]),
        ("H4sIAAAA+/=\nH4sI\n{\"a\":1}\n", &["r0 H4sIAAAA+/=", "r12 H4sI", "r17 {\"a\":1}"]),
        ("%PDF\nrub bish\n\n{\"a\":1}\n]}\n", &["r0 %PDF\nrub bish\n", "r15 {\"a\":1}", "r23 ]}\n"]),
        ("{\"a\":1} tail\n{\"b\":2}", &["r0 {\"a\":1}", "r8 tail", "r13 {\"b\":2}"]),
        ("\"{\\\"a\\\":1}\"\n", &["r0 \"{\\\"a\\\":1}\""]),
    ];
    for (input, expected) in cases {
        for chunk in [1, 2, 3, 7, 4096] {
            assert_eq!(cut(input.as_bytes(), chunk, 1000), *expected, "{input:?} in chunks of {chunk}");
        }
    }
}

#[test]
fn a_record_at_the_limit_is_given_and_one_byte_more_is_passed_over() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    let line = format!("{{\"b\":1}}\n{long}\n{{\"c\":2}}\n");
    let records = format!("{{\"Records\":[{{\"b\":1}},{long},{{\"c\":2}}]}}");
    let (size, over) = (long.len(), long.len() - 1);
    for chunk in [1, 16, 4096] {
        assert_eq!(cut(line.as_bytes(), chunk, size).len(), 3);
        assert_eq!(cut(line.as_bytes(), chunk, size)[1], format!("r8 {long}"));
        let shorter = cut(line.as_bytes(), chunk, over);
        assert_eq!(shorter, ["r0 {\"b\":1}".to_owned(), format!("t8 {size}"), format!("r{} {{\"c\":2}}", size + 9)]);
        assert_eq!(cut(records.as_bytes(), chunk, size).len(), 3);
        assert_eq!(cut(records.as_bytes(), chunk, over)[1], format!("t20 {size}"));
        assert_eq!(cut(records.as_bytes(), chunk, over)[2], format!("r{} {{\"c\":2}}", size + 21));
    }
}

#[test]
fn rubbish_at_the_limit_is_given_though_its_line_end_lies_past_it() {
    for chunk in [1, 2, 3, 100] {
        assert_eq!(cut(b"}x\n{}\n", chunk, 2), ["r0 }x", "r3 {}"]);
        assert_eq!(cut(b"}xy\n{}\n", chunk, 2), ["t0 3", "r4 {}"]);
    }
}

#[test]
fn a_list_of_records_is_known_by_its_head_if_that_is_short_enough() {
    let document = |space: usize| format!("{{{}\"Records\":[{{\"a\":1}}]}}", " ".repeat(space));
    let head = "{\"Records\":[".len();
    for chunk in [1, 50, 10_000] {
        assert!(cut(document(4096 - head).as_bytes(), chunk, 10_000)[0].ends_with(" {\"a\":1}"));
        // As a whole document it is read all the same, only not element by element.
        assert_eq!(cut(document(4097 - head).as_bytes(), chunk, 10_000), [format!("r0 {}", document(4097 - head))]);
    }
}

#[test]
fn lines_longer_than_the_look_ahead_are_cut_like_the_others() {
    for filling in [1024 * 1024 - 9, 1024 * 1024 - 8, 1024 * 1024, 3 * 1024 * 1024] {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(filling));
        let lines = format!("{{\"b\":1}}\n{long}\n{{\"c\":2}}\n");
        for chunk in [100_000, 10_000_000] {
            let parts = cut(lines.as_bytes(), chunk, 16 * 1024 * 1024);
            assert_eq!(parts.len(), 3);
            assert!(parts[1] == format!("r8 {long}") && parts[2].ends_with("{\"c\":2}"));
            assert_eq!(cut(lines.as_bytes(), chunk, 1000)[1], format!("t8 {}", long.len()));
        }
    }
}

#[test]
fn memory_stays_at_one_chunk_and_one_record() {
    let mut splitter = Splitter::new(1000);
    let mut seen = 0;
    let mut largest = 0;
    splitter.push(b"{\"Records\":[", &mut |_| {});
    for _ in 0..2_000 {
        splitter.push(br#"{"a":"0123456789"},{"b":"#, &mut |_| seen += 1);
        splitter.push(br#""x"},"#, &mut |_| seen += 1);
        largest = largest.max(splitter.buffer.len());
    }
    // A value that never ends is not kept either.
    splitter.push(br#"{"a":["x"#, &mut |_| seen += 1);
    for _ in 0..1_000 {
        splitter.push(&[b'x'; 100], &mut |_| {});
        largest = largest.max(splitter.buffer.len());
    }
    assert_eq!(seen, 4_000);
    assert!(largest <= 1_200, "{largest} bytes kept");
}

proptest! {
    #[test]
    fn chunks_do_not_matter_and_nothing_panics(
        input in proptest::collection::vec(prop_oneof![
            Just(b"{\"Records\":[".to_vec()), Just(b"{\"a\":1}".to_vec()), Just(b"{\"a\":\"".to_vec()), Just(b"\"".to_vec()),
            Just(b"\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"{".to_vec()), Just(b"}".to_vec()), Just(b"[".to_vec()),
            Just(b"]".to_vec()), Just(b",".to_vec()), Just(b"\\".to_vec()), Just(b"\xEF\xBB\xBF".to_vec()), Just(b"H4sI".to_vec()),
            Just(b"null".to_vec()), Just(b" ".to_vec()), proptest::collection::vec(any::<u8>(), 0..4),
        ], 0..40).prop_map(|parts| parts.concat()),
        chunk in 1_usize..20,
        limit in 1_usize..60,
    ) {
        prop_assert_eq!(cut(&input, chunk, limit), cut(&input, 10_000, limit));
        // Parts are given in order and never twice.
        let mut last_end = 0;
        let mut splitter = Splitter::new(limit);
        let mut check = |part: Part<'_>| {
            let (offset, length) = match part {
                Part::Record { offset, bytes } | Part::Truncated { offset, bytes } => {
                    assert_eq!(&input[offset as usize..offset as usize + bytes.len()], bytes);
                    (offset, bytes.len() as u64)
                }
                Part::TooLarge { offset, length } => (offset, length),
            };
            assert!(offset >= last_end && offset + length <= input.len() as u64);
            // What lies between two parts is white space, commas, marks and the brackets of lists.
            let between = String::from_utf8_lossy(&input[last_end as usize..offset as usize]).replace("\"Records\"", "");
            assert!(between.chars().all(|letter| " \t\r\n\u{c},[]{}:\u{feff}\u{fffd}".contains(letter)), "{between:?}");
            last_end = offset + length;
        };
        for piece in input.chunks(chunk) {
            splitter.push(piece, &mut check);
        }
        splitter.finish(&mut check);
        let between = String::from_utf8_lossy(&input[last_end as usize..]).replace("\"Records\"", "");
        prop_assert!(between.chars().all(|letter| " \t\r\n\u{c},[]{}:\u{feff}\u{fffd}".contains(letter)), "{between:?}");
    }
}
