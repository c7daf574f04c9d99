//! What in a new version of the protocol breaks a program that was made for an older one.
//!
//! Clients of other offices are written from the published `.proto` files and are not built again when the service is. What
//! an older one sends must mean the same to a newer service, and what it reads must be what it was; the code generated for it
//! must go on compiling. So a message may get another field, an enum another value, a service another method, and nothing that
//! is there may go, move or change. These are the rules of `buf breaking` for its category FILE (which has all of WIRE in it),
//! as far as proto3 without extensions goes.

use std::collections::BTreeMap;
use std::fmt::Display;

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto,
};

/// Every change from `before` to `now` that breaks a client, a sentence each, in the order of files and names; empty when there
/// is none.
pub fn breaking_changes(before: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let mut found = Findings::default();
    compare_files(before, now, &mut found);
    let (before, now) = (Declared::of(before), Declared::of(now));
    for (name, (file, message)) in &before.messages {
        if let Some(message_now) = found.still(&now.messages, name, file, "message") {
            compare_messages(name, message, message_now, &mut found);
        }
    }
    for (name, (file, values)) in &before.enums {
        if let Some(values_now) = found.still(&now.enums, name, file, "enum") {
            compare_enums(name, values, values_now, &mut found);
        }
    }
    for (name, (file, service)) in &before.services {
        if let Some(service_now) = found.still(&now.services, name, file, "service") {
            compare_services(name, service, service_now, &mut found);
        }
    }
    found.0
}

/// Numbers and names a message or an enum must not use again.
#[derive(PartialEq)]
struct Reserved<'a> {
    /// First and last, both included.
    ranges: Vec<(i32, i32)>,
    names: &'a [String],
}

impl Reserved<'_> {
    fn has_number(&self, number: i32) -> bool {
        self.ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|reserved| reserved == name)
    }
}

/// What a set of files declares, by full name, each with its file.
#[derive(Default)]
struct Declared<'a> {
    messages: BTreeMap<String, (&'a str, &'a DescriptorProto)>,
    enums: BTreeMap<String, (&'a str, &'a EnumDescriptorProto)>,
    services: BTreeMap<String, (&'a str, &'a ServiceDescriptorProto)>,
}

impl<'a> Declared<'a> {
    fn of(set: &'a FileDescriptorSet) -> Self {
        let mut declared = Self::default();
        for file in &set.file {
            for message in &file.message_type {
                declared.add_message(file.name(), file.package(), message);
            }
            for values in &file.enum_type {
                declared
                    .enums
                    .insert(join(file.package(), values.name()), (file.name(), values));
            }
            for service in &file.service {
                declared
                    .services
                    .insert(join(file.package(), service.name()), (file.name(), service));
            }
        }
        declared
    }

    fn add_message(&mut self, file: &'a str, within: &str, message: &'a DescriptorProto) {
        let name = join(within, message.name());
        for nested in &message.nested_type {
            self.add_message(file, &name, nested);
        }
        for values in &message.enum_type {
            self.enums.insert(join(&name, values.name()), (file, values));
        }
        self.messages.insert(name, (file, message));
    }
}

fn join(within: &str, name: &str) -> String {
    if within.is_empty() {
        name.to_owned()
    } else {
        format!("{within}.{name}")
    }
}

#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    fn unless_equal<T: PartialEq + Display>(&mut self, what: &str, before: T, now: T) {
        if before != now {
            self.add(format!("{what} was {before} and is {now}"));
        }
    }

    /// What is declared under `name` now, where it still is.
    fn still<'a, T>(
        &mut self,
        now: &BTreeMap<String, (&'a str, &'a T)>,
        name: &str,
        file: &str,
        kind: &str,
    ) -> Option<&'a T> {
        let Some((file_now, declared)) = now.get(name) else {
            self.add(format!("{kind} {name} is gone"));
            return None;
        };
        // Generated code is by file: a client includes or imports it under the file's name.
        self.unless_equal(&format!("the file of {kind} {name}"), file, file_now);
        Some(declared)
    }

    fn reserved(&mut self, name: &str, before: &Reserved<'_>, now: &Reserved<'_>) {
        for (first, last) in &before.ranges {
            if (*first..=*last).any(|number| !now.has_number(number)) {
                self.add(format!("{name} no longer reserves {first} to {last}"));
            }
        }
        for reserved in before.names {
            if !now.has_name(reserved) {
                self.add(format!("{name} no longer reserves the name {reserved}"));
            }
        }
    }

    /// A member that was not there before.
    fn unless_reserved(&mut self, member: &str, name: &str, number: i32, before: &Reserved<'_>) {
        if before.has_number(number) {
            self.add(format!("{member} uses {number}, which was reserved"));
        }
        if before.has_name(name) {
            self.add(format!("{member} uses a name that was reserved"));
        }
    }
}

fn compare_files(before: &FileDescriptorSet, now: &FileDescriptorSet, found: &mut Findings) {
    for file in &before.file {
        let Some(file_now) = now.file.iter().find(|now| now.name() == file.name()) else {
            found.add(format!("file {} is gone", file.name()));
            continue;
        };
        let of = |what: &str| format!("the {what} of {}", file.name());
        found.unless_equal(&of("package"), file.package(), file_now.package());
        // The oldest syntax is not written down.
        let syntax = |file: &FileDescriptorProto| match file.syntax() {
            "" => "proto2".to_owned(),
            syntax => syntax.to_owned(),
        };
        found.unless_equal(&of("syntax"), syntax(file), syntax(file_now));
    }
}

fn compare_messages(name: &str, before: &DescriptorProto, now: &DescriptorProto, found: &mut Findings) {
    for field in &before.field {
        let path = join(name, field.name());
        let same_number = now.field.iter().find(|now| now.number() == field.number());
        let same_name = now.field.iter().find(|now| now.name() == field.name());
        match (same_number, same_name) {
            (Some(field_now), _) if field_now.name() == field.name() => {
                let one_of = [one_of(before, field), one_of(now, field_now)];
                compare_fields(&path, field, field_now, one_of, found);
            }
            (_, Some(moved)) => {
                found.unless_equal(
                    &format!("the number of field {path}"),
                    field.number(),
                    moved.number(),
                );
            }
            (Some(other), None) => found.add(format!(
                "number {} of field {path} is now of {}",
                field.number(),
                other.name()
            )),
            (None, None) => found.add(format!("field {path} is gone")),
        }
    }
    let reserved = reserved_of_message(before);
    found.reserved(name, &reserved, &reserved_of_message(now));
    for field in &now.field {
        if !before
            .field
            .iter()
            .any(|before| before.number() == field.number())
        {
            let path = join(name, field.name());
            found.unless_reserved(&path, field.name(), field.number(), &reserved);
        }
    }
}

fn reserved_of_message(message: &DescriptorProto) -> Reserved<'_> {
    Reserved {
        // The end of a message's range is not part of it, unlike an enum's.
        ranges: message
            .reserved_range
            .iter()
            .map(|range| (range.start(), range.end() - 1))
            .collect(),
        names: &message.reserved_name,
    }
}

/// The name of the group of fields of which one at most is set; the group of one that `optional` makes is none.
fn one_of<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> &'a str {
    if field.proto3_optional() {
        return "none";
    }
    let position = field
        .oneof_index
        .and_then(|position| usize::try_from(position).ok());
    position
        .and_then(|position| message.oneof_decl.get(position))
        .map_or("none", |one_of| one_of.name())
}

fn compare_fields(
    path: &str,
    before: &FieldDescriptorProto,
    now: &FieldDescriptorProto,
    one_of: [&str; 2],
    found: &mut Findings,
) {
    let of = |what: &str| format!("the {what} of field {path}");
    let kind = |field: &FieldDescriptorProto| {
        let kind = field.r#type().as_str_name();
        format!("{kind} {}", field.type_name()).trim_end().to_owned()
    };
    let packed = |field: &FieldDescriptorProto| field.options.as_ref().and_then(|options| options.packed);
    found.unless_equal(&of("type"), kind(before), kind(now));
    found.unless_equal(
        &of("label"),
        before.label().as_str_name(),
        now.label().as_str_name(),
    );
    found.unless_equal(
        &of("presence (optional)"),
        before.proto3_optional(),
        now.proto3_optional(),
    );
    found.unless_equal(&of("oneof"), one_of[0], one_of[1]);
    found.unless_equal(&of("JSON name"), before.json_name(), now.json_name());
    found.unless_equal(
        &of("packing"),
        packed(before).unwrap_or(true),
        packed(now).unwrap_or(true),
    );
}

fn compare_enums(name: &str, before: &EnumDescriptorProto, now: &EnumDescriptorProto, found: &mut Findings) {
    for value in &before.value {
        let path = join(name, value.name());
        // Several names may stand for a number.
        let is_there = now
            .value
            .iter()
            .any(|now| now.number() == value.number() && now.name() == value.name());
        if is_there {
            continue;
        }
        let same_number = now.value.iter().find(|now| now.number() == value.number());
        let same_name = now.value.iter().find(|now| now.name() == value.name());
        match (same_number, same_name) {
            (_, Some(moved)) => {
                found.unless_equal(
                    &format!("the number of value {path}"),
                    value.number(),
                    moved.number(),
                );
            }
            (Some(other), None) => found.add(format!(
                "number {} of value {path} is now of {}",
                value.number(),
                other.name()
            )),
            (None, None) => found.add(format!("value {path} is gone")),
        }
    }
    let reserved = reserved_of_enum(before);
    found.reserved(name, &reserved, &reserved_of_enum(now));
    for value in &now.value {
        if !before
            .value
            .iter()
            .any(|before| before.number() == value.number())
        {
            let path = join(name, value.name());
            found.unless_reserved(&path, value.name(), value.number(), &reserved);
        }
    }
}

fn reserved_of_enum(values: &EnumDescriptorProto) -> Reserved<'_> {
    Reserved {
        ranges: values
            .reserved_range
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        names: &values.reserved_name,
    }
}

fn compare_services(
    name: &str,
    before: &ServiceDescriptorProto,
    now: &ServiceDescriptorProto,
    found: &mut Findings,
) {
    for method in &before.method {
        let path = join(name, method.name());
        let Some(method_now) = now.method.iter().find(|now| now.name() == method.name()) else {
            found.add(format!("method {path} is gone"));
            continue;
        };
        let of = |what: &str| format!("the {what} of method {path}");
        let streams = |method: &MethodDescriptorProto| [method.client_streaming(), method.server_streaming()];
        let [client, server] = streams(method);
        let [client_now, server_now] = streams(method_now);
        found.unless_equal(&of("request"), method.input_type(), method_now.input_type());
        found.unless_equal(&of("response"), method.output_type(), method_now.output_type());
        found.unless_equal(&of("client streaming"), client, client_now);
        found.unless_equal(&of("server streaming"), server, server_now);
    }
}

#[cfg(test)]
mod tests;
