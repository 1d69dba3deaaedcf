//! Variables in a value: `$NAME`, `${NAME}` and what it takes if that is not set
//! (<https://docs.docker.com/reference/compose-file/interpolation/>).

use super::{MAX_VALUE_BYTES, Problem, Value, Variable, Variables};

/// Variables within the default of a variable within …: deeper is no person's work, and would
/// exhaust the stack.
const MAX_DEPTH: usize = 32;

/// Replaces the variables in a value. One that is not set is empty, as Compose has it.
pub(super) fn expand(template: &str, variables: &Variables<'_>) -> Result<Value, Problem> {
    let mut value = Value::default();
    expand_into(&mut value, template, variables, 0)?;
    Ok(value)
}

fn expand_into(
    value: &mut Value,
    template: &str,
    variables: &Variables<'_>,
    depth: usize,
) -> Result<(), Problem> {
    if depth > MAX_DEPTH {
        return Err(Problem::TooLong);
    }
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        value.text.push_str(before);
        rest = after;
        match after.chars().next() {
            Some('$') => {
                value.text.push('$');
                rest = &after[1..];
            }
            Some('{') => {
                let braced = Braced::of(&after[1..]).ok_or(Problem::Template)?;
                rest = &after[1 + braced.length..];
                braced.expand_into(value, variables, depth)?;
            }
            Some(c) if starts_name(c) => {
                let name = &after[..name_length(after)];
                rest = &after[name.len()..];
                push(value, variables.get(name), name)?;
            }
            _ => value.text.push('$'),
        }
        if value.text.len() > MAX_VALUE_BYTES {
            return Err(Problem::TooLong);
        }
    }
    value.text.push_str(rest);
    Ok(())
}

fn push(value: &mut Value, variable: Variable<'_>, name: &str) -> Result<(), Problem> {
    match variable {
        Variable::Text { text, has_unset } => {
            value.text.push_str(text);
            value.has_unset |= has_unset;
        }
        Variable::Unset => value.has_unset = true,
        Variable::Unreadable => return Err(Problem::Unreadable { name: name.into() }),
    }
    Ok(())
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !starts_name(c) && !c.is_ascii_digit())
        .unwrap_or(text.len())
}

/// What stands in `${…}`.
struct Braced<'a> {
    name: &'a str,
    /// Without its colon: `-`, `+` or `?`; nothing after the name alone.
    operator: Option<char>,
    /// With a colon, what is empty counts as not set.
    is_empty_unset: bool,
    argument: &'a str,
    /// Up to and with the closing brace.
    length: usize,
}

impl<'a> Braced<'a> {
    /// Reads what follows `${`.
    fn of(text: &'a str) -> Option<Self> {
        let name = &text[..name_length(text)];
        if !name.starts_with(starts_name) {
            return None;
        }
        let after = &text[name.len()..];
        let (is_empty_unset, rest) = match after.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, after),
        };
        let (operator, argument, end) = match rest.chars().next()? {
            '}' if !is_empty_unset => (None, "", name.len()),
            operator @ ('-' | '+' | '?') => {
                let end = closing_brace(text)?;
                let start = name.len() + usize::from(is_empty_unset) + 1;
                (Some(operator), &text[start..end], end)
            }
            _ => return None,
        };
        Some(Self {
            name,
            operator,
            is_empty_unset,
            argument,
            length: end + 1,
        })
    }

    fn expand_into(
        &self,
        value: &mut Value,
        variables: &Variables<'_>,
        depth: usize,
    ) -> Result<(), Problem> {
        let variable = variables.get(self.name);
        let is_set = match variable {
            Variable::Text { text, .. } => !(self.is_empty_unset && text.is_empty()),
            Variable::Unreadable => true,
            Variable::Unset => false,
        };
        match self.operator {
            Some('-') if !is_set => expand_into(value, self.argument, variables, depth + 1),
            Some('+') if is_set => expand_into(value, self.argument, variables, depth + 1),
            // Nothing is missing: it is empty because it is not set.
            Some('+') => Ok(()),
            Some('?') if !is_set => {
                let mut message = Value::default();
                expand_into(&mut message, self.argument, variables, depth + 1)?;
                Err(Problem::Required {
                    name: self.name.into(),
                    message: message.text,
                })
            }
            _ => push(value, variable, self.name),
        }
    }
}

/// Where the brace closes that was opened before this text. Braces within it are pairs; if they
/// are not, it is the last one of the line. As in Compose, the byte after an opening one does not
/// count.
fn closing_brace(text: &str) -> Option<usize> {
    let line = text.split('\n').next()?;
    let last = line.rfind('}')?;
    let mut open = 1;
    let mut bytes = line[..last].bytes().enumerate();
    while let Some((position, byte)) = bytes.next() {
        match byte {
            b'{' => {
                open += 1;
                bytes.next();
            }
            b'}' if open == 1 => return Some(position),
            b'}' => open -= 1,
            _ => {}
        }
    }
    Some(last)
}
