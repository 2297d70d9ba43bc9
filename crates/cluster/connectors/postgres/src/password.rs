//! Where the password comes from: never from the job itself, as that is shown to people.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Gives the configuration a password: that of the file of the sink, else of `PGPASSWORD`, else of
/// the file that `PGPASSFILE` names. Files are read each time, so that a password may change.
///
/// # Errors
///
/// A file cannot be read. The text names it.
pub(crate) fn add(config: &mut Config, file: Option<&Path>) -> Result<(), String> {
    if let Some(file) = file {
        let password = read(file)?;
        config.password(password.trim_end_matches(['\r', '\n']));
    } else if let Some(password) = variable("PGPASSWORD") {
        config.password(password);
    } else if let Some(file) = variable("PGPASSFILE") {
        let lines = read(&PathBuf::from(file))?;
        if let Some(password) = find(&lines, config) {
            config.password(password);
        }
    }
    Ok(())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("the password file {}: {error}", file.display()))
}

/// Looks in lines of `host:port:database:user:password`, where `*` is any and `\` escapes.
fn find(lines: &str, config: &Config) -> Option<String> {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().unwrap_or(&5432).to_string();
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let wanted = [host.as_str(), &port, database, user];
    lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(fields)
        .find(|fields| {
            let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
            fields.len() == 5 && fields.iter().zip(&wanted).all(fits)
        })
        .and_then(|mut fields| fields.pop())
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.last_mut().expect("there is one from the beginning");
        match character {
            '\\' => last.extend(characters.next()),
            ':' => fields.push(String::new()),
            character => last.push(character),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let config = "host=db port=5433 user=u dbname=d"
            .parse::<Config>()
            .unwrap();
        let lines = "# comment\nother:*:*:*:no\ndb:5432:*:*:no\n*:5433:d:u:a\\:b\\\\\n*:*:*:*:late";
        assert_eq!(find(lines, &config).as_deref(), Some("a:b\\"));
        assert_eq!(find("db:5433:d:x:no", &config), None);
    }
}
