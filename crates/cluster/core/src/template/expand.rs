//! From the pieces to a text, for one task.

use super::{
    BadTemplate, Fault, LARGEST_EXPANDED, LONGEST_EXPANDED, Piece, Place, Template, Templates,
    Values, env,
};

/// A command and an environment without templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The environment, in the order it was given.
    pub env: Vec<(String, String)>,
}

impl Templates {
    /// Puts in what a task has for each template.
    ///
    /// # Errors
    ///
    /// What [`Templates::check`] finds, if it was not asked; and what becomes too long with this
    /// task's peers.
    pub fn expand(&self, values: &Values<'_>) -> Result<Expanded, BadTemplate> {
        let mut done: Vec<String> = vec![String::new(); self.env.len()];
        let mut total = 0;
        for &entry in &self.order {
            let (name, template) = &self.env[entry];
            let room = LONGEST_EXPANDED.saturating_sub(name.len() + "=".len());
            let expanded = self.one(template, values, &done, room, &mut total);
            done[entry] = expanded.map_err(|(at, fault)| {
                let place = Place::Env(name.clone());
                BadTemplate { place, at, fault }
            })?;
        }
        let mut command = Vec::with_capacity(self.command.len());
        for (number, template) in self.command.iter().enumerate() {
            let expanded = self.one(template, values, &done, LONGEST_EXPANDED, &mut total);
            command.push(expanded.map_err(|(at, fault)| {
                let place = Place::Argument(number);
                BadTemplate { place, at, fault }
            })?);
        }
        let names = self.env.iter().map(|(name, _)| name.clone());
        Ok(Expanded {
            command,
            env: names.zip(done).collect(),
        })
    }

    fn one(
        &self,
        template: &Template,
        values: &Values<'_>,
        env: &[String],
        room: usize,
        total: &mut usize,
    ) -> Result<String, (usize, Fault)> {
        let mut text = String::new();
        for (at, piece) in &template.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Rank => text.push_str(&values.rank.to_string()),
                Piece::Tasks => text.push_str(&values.tasks.to_string()),
                Piece::Attempt => text.push_str(&values.attempt.to_string()),
                Piece::Port => text.push_str(&values.port.to_string()),
                Piece::Artifact => {
                    text.push_str(values.artifact.ok_or((*at, Fault::NoArtifact))?);
                }
                Piece::Peers { separator } => text.push_str(&values.peers.join(separator)),
                Piece::PeerHost(rank) => text.push_str(peer(values, *rank, *at)?.0),
                Piece::PeerPort(rank) => text.push_str(peer(values, *rank, *at)?.1),
                Piece::Env(name) => {
                    let entry = env::index(&self.env, name);
                    text.push_str(entry.map_or("", |entry| env[entry].as_str()));
                }
            }
            // After each piece: entries that double what they refer to grow fast.
            if text.len() > room {
                return Err((*at, Fault::TooLong));
            }
        }
        *total += text.len();
        if *total > LARGEST_EXPANDED {
            return Err((0, Fault::TooMuch));
        }
        Ok(text)
    }
}

/// The host, without the brackets of IPv6, and the port of a rank.
fn peer<'a>(
    values: &Values<'a>,
    rank: u32,
    at: usize,
) -> Result<(&'a str, &'a str), (usize, Fault)> {
    let peer = values.peers.get(rank as usize);
    let peer = peer.ok_or((
        at,
        Fault::NoPeer {
            tasks: values.tasks,
        },
    ))?;
    let (host, port) = peer.rsplit_once(':').unwrap_or((peer, ""));
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Ok((bare.unwrap_or(host), port))
}
