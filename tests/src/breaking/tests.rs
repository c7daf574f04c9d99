use protox::Compiler;
use protox::file::{File, FileResolver};

use super::*;

/// Files in memory.
struct Sources(Vec<(String, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (_, source) = self
            .0
            .iter()
            .find(|(known, _)| known == name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}

fn compile(files: &[(&str, &str)]) -> FileDescriptorSet {
    let sources = files
        .iter()
        .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
        .collect();
    let mut compiler = Compiler::with_file_resolver(Sources(sources));
    for (name, _) in files {
        compiler.open_file(name).unwrap();
    }
    compiler.file_descriptor_set()
}

/// A small protocol with everything a rule is about.
const BEFORE: &str = r#"
syntax = "proto3";
package p.v1;

service Post {
  rpc Send(Letter) returns (Receipt);
  rpc Watch(Letter) returns (stream Receipt);
}

enum State {
  STATE_UNSPECIFIED = 0;
  STATE_SENT = 1;
  STATE_LOST = 2;
  reserved 7 to 9;
  reserved "STATE_BURNT";
}

message Letter {
  string to = 1;
  uint64 weight = 2;
  optional uint64 value = 3;
  repeated uint32 stamps = 4;
  State state = 5;
  oneof way {
    string road = 6;
    string ship = 7;
  }
  map<string, Receipt> receipts = 8;
  reserved 20 to 29, 40;
  reserved "sender";
  message Stamp {
    string country = 1;
  }
  enum Class {
    CLASS_UNSPECIFIED = 0;
    CLASS_FIRST = 1;
  }
}

message Receipt {
  bytes digest = 1;
}
"#;

/// What is found when each of `edits` replaces the text on its left by that on its right.
fn edited(edits: &[(&str, &str)]) -> Vec<String> {
    let mut now = BEFORE.to_owned();
    for (from, to) in edits {
        assert_eq!(now.matches(from).count(), 1, "{from:?} is there once");
        now = now.replace(from, to);
    }
    breaking_changes(&compile(&[("p.proto", BEFORE)]), &compile(&[("p.proto", &now)]))
}

#[test]
fn nothing_breaks_what_did_not_change() {
    assert_eq!(edited(&[]), Vec::<String>::new());
}

#[test]
fn what_is_added_breaks_nothing() {
    let additions = [
        ("rpc Send", "rpc Burn(Letter) returns (Receipt);\n  rpc Send"),
        ("STATE_LOST = 2;", "STATE_LOST = 2;\n  STATE_FOUND = 3;"),
        (
            "bytes digest = 1;",
            "bytes digest = 1;\n  optional string clerk = 2;",
        ),
        ("string ship = 7;", "string ship = 7;\n    string air = 9;"),
        ("reserved 20 to 29, 40;", "reserved 20 to 30, 40 to 45, 50;"),
        (
            "message Receipt {",
            "service Tracing { rpc Trace(Receipt) returns (Receipt); }\nmessage Seal {}\n\
             enum Colour { COLOUR_UNSPECIFIED = 0; }\nmessage Receipt {",
        ),
    ];
    assert_eq!(edited(&additions), Vec::<String>::new());
    let before = compile(&[("p.proto", BEFORE)]);
    let more =
        "syntax = \"proto3\"; package p.v1; message Parcel { Receipt receipt = 1; } import \"p.proto\";";
    let now = compile(&[("p.proto", BEFORE), ("q.proto", more)]);
    assert_eq!(breaking_changes(&before, &now), Vec::<String>::new());
}

#[test]
fn each_rule_finds_what_breaks_it_and_nothing_else() {
    let cases: [(&[(&str, &str)], &str); 27] = [
        (&[("string to = 1;", "")], "field p.v1.Letter.to is gone"),
        (
            &[("string to = 1;", "reserved 1; reserved \"to\";")],
            "field p.v1.Letter.to is gone",
        ),
        (
            &[("string to = 1;", "string addressee = 1;")],
            "number 1 of field p.v1.Letter.to is now of addressee",
        ),
        (
            &[("string to = 1;", "string to = 11;")],
            "the number of field p.v1.Letter.to was 1 and is 11",
        ),
        (
            &[("uint64 weight = 2;", "int64 weight = 2;")],
            "the type of field p.v1.Letter.weight was TYPE_UINT64 and is TYPE_INT64",
        ),
        (
            &[("State state = 5;", "Class state = 5;")],
            "the type of field p.v1.Letter.state was TYPE_ENUM .p.v1.State and is TYPE_ENUM .p.v1.Letter.Class",
        ),
        (
            &[("repeated uint32 stamps", "uint32 stamps")],
            "the label of field p.v1.Letter.stamps was LABEL_REPEATED and is LABEL_OPTIONAL",
        ),
        (
            &[("optional uint64 value", "uint64 value")],
            "the presence (optional) of field p.v1.Letter.value was true and is false",
        ),
        (
            &[("uint64 weight", "optional uint64 weight")],
            "the presence (optional) of field p.v1.Letter.weight was false and is true",
        ),
        (
            &[
                ("string to = 1;", ""),
                ("string road = 6;", "string road = 6;\n    string to = 1;"),
            ],
            "the oneof of field p.v1.Letter.to was none and is way",
        ),
        (
            &[("oneof way", "oneof road_or_ship")],
            "the oneof of field p.v1.Letter.road was way and is road_or_ship; \
             the oneof of field p.v1.Letter.ship was way and is road_or_ship",
        ),
        (
            &[("string to = 1;", "string to = 1 [json_name = \"addressee\"];")],
            "the JSON name of field p.v1.Letter.to was to and is addressee",
        ),
        (
            &[("stamps = 4;", "stamps = 4 [packed = false];")],
            "the packing of field p.v1.Letter.stamps was true and is false",
        ),
        (
            &[("map<string, Receipt>", "map<string, Stamp>")],
            "the type of field p.v1.Letter.ReceiptsEntry.value was TYPE_MESSAGE .p.v1.Receipt and is TYPE_MESSAGE \
             .p.v1.Letter.Stamp",
        ),
        (
            &[("reserved 20 to 29, 40;", "reserved 20 to 28, 40;")],
            "p.v1.Letter no longer reserves 20 to 29",
        ),
        (
            &[("reserved \"sender\";", "")],
            "p.v1.Letter no longer reserves the name sender",
        ),
        (
            &[("reserved 20 to 29, 40;", "reserved 20 to 29; bytes key = 40;")],
            "p.v1.Letter no longer reserves 40 to 40; p.v1.Letter.key uses 40, which was reserved",
        ),
        (
            &[("reserved \"sender\";", "string sender = 9;")],
            "p.v1.Letter no longer reserves the name sender; p.v1.Letter.sender uses a name that was reserved",
        ),
        (
            &[("message Stamp {\n    string country = 1;\n  }", "")],
            "message p.v1.Letter.Stamp is gone",
        ),
        (&[("STATE_LOST = 2;", "")], "value p.v1.State.STATE_LOST is gone"),
        (
            &[("STATE_LOST = 2;", "STATE_STOLEN = 2;")],
            "number 2 of value p.v1.State.STATE_LOST is now of STATE_STOLEN",
        ),
        (
            &[("STATE_LOST = 2;", "STATE_LOST = 3;")],
            "the number of value p.v1.State.STATE_LOST was 2 and is 3",
        ),
        (
            &[("reserved 7 to 9;", "reserved 8 to 9;\n  STATE_KEPT = 7;")],
            "p.v1.State no longer reserves 7 to 9; p.v1.State.STATE_KEPT uses 7, which was reserved",
        ),
        (
            &[(
                "enum Class {\n    CLASS_UNSPECIFIED = 0;\n    CLASS_FIRST = 1;\n  }",
                "",
            )],
            "enum p.v1.Letter.Class is gone",
        ),
        (
            &[("rpc Send(Letter) returns (Receipt);", "")],
            "method p.v1.Post.Send is gone",
        ),
        (
            &[(
                "rpc Send(Letter) returns (Receipt);",
                "rpc Send(Receipt) returns (Letter);",
            )],
            "the request of method p.v1.Post.Send was .p.v1.Letter and is .p.v1.Receipt; \
             the response of method p.v1.Post.Send was .p.v1.Receipt and is .p.v1.Letter",
        ),
        (
            &[(
                "(Letter) returns (stream Receipt)",
                "(stream Letter) returns (Receipt)",
            )],
            "the client streaming of method p.v1.Post.Watch was false and is true; \
             the server streaming of method p.v1.Post.Watch was true and is false",
        ),
    ];
    for (edits, expected) in cases {
        assert_eq!(edited(edits).join("; "), expected);
    }
}

#[test]
fn a_service_or_message_that_is_gone_is_found_once() {
    let service = "service Post {\n  rpc Send(Letter) returns (Receipt);\n  rpc Watch(Letter) returns (stream Receipt);\n}";
    assert_eq!(edited(&[(service, "")]), ["service p.v1.Post is gone"]);
    let renamed = [("message Stamp", "message Sticker")];
    assert_eq!(edited(&renamed), ["message p.v1.Letter.Stamp is gone"]);
}

#[test]
fn a_swap_of_two_numbers_is_found_for_both_fields() {
    let swap = [
        ("string to = 1;", "string to = 2;"),
        ("uint64 weight = 2;", "uint64 weight = 1;"),
    ];
    assert_eq!(
        edited(&swap),
        [
            "the number of field p.v1.Letter.to was 1 and is 2",
            "the number of field p.v1.Letter.weight was 2 and is 1"
        ]
    );
}

#[test]
fn another_package_or_file_breaks_everything_in_it() {
    let found = edited(&[("package p.v1;", "package p.v2;")]);
    assert_eq!(found[0], "the package of p.proto was p.v1 and is p.v2");
    assert!(
        found.contains(&"message p.v1.Letter is gone".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"service p.v1.Post is gone".to_owned()),
        "{found:?}"
    );

    let receipt = "message Receipt {\n  bytes digest = 1;\n}\n";
    let without = BEFORE.replace(receipt, "import \"r.proto\";");
    let moved = format!("syntax = \"proto3\"; package p.v1; {receipt}");
    let before = compile(&[("p.proto", BEFORE)]);
    let now = compile(&[("p.proto", &without), ("r.proto", &moved)]);
    assert_eq!(
        breaking_changes(&before, &now),
        ["the file of message p.v1.Receipt was p.proto and is r.proto"]
    );
    let gone = breaking_changes(
        &compile(&[("p.proto", BEFORE), ("q.proto", "syntax = \"proto3\";")]),
        &before,
    );
    assert_eq!(gone, ["file q.proto is gone"]);
}

#[test]
fn another_syntax_is_found() {
    let found = edited(&[
        ("syntax = \"proto3\";", "syntax = \"proto2\";"),
        ("string to = 1;", "optional string to = 1;"),
        ("uint64 weight", "optional uint64 weight"),
        ("State state = 5;", "optional State state = 5;"),
        ("bytes digest", "optional bytes digest"),
        ("string country", "optional string country"),
    ]);
    assert!(
        found.contains(&"the syntax of p.proto was proto3 and is proto2".to_owned()),
        "{found:?}"
    );
}
