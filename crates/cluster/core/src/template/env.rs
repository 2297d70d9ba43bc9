//! Entries of the environment that refer to others.

use super::{BadTemplate, Fault, Piece, Place, Template};
use crate::nearest::nearest;

/// All references to entries that do not exist.
pub(super) fn unknown(command: &[Template], env: &[(String, Template)]) -> Vec<BadTemplate> {
    let command = command.iter().enumerate();
    let command = command.map(|(number, template)| (Place::Argument(number), template));
    let entries = env
        .iter()
        .map(|(name, template)| (Place::Env(name.clone()), template));
    let mut bad = Vec::new();
    for (place, template) in command.chain(entries) {
        for (at, name) in references(template) {
            if index(env, name).is_none() {
                let nearest = nearest(name, env.iter().map(|(name, _)| name.as_str()));
                let fault = Fault::NoEnv {
                    nearest: nearest.map(str::to_owned),
                };
                bad.push(BadTemplate {
                    place: place.clone(),
                    at,
                    fault,
                });
            }
        }
    }
    bad
}

/// An order in which each entry comes after those that it refers to, or a loop.
///
/// Without recursion: a specification has room for chains of thousands.
pub(super) fn order(env: &[(String, Template)]) -> Result<Vec<usize>, BadTemplate> {
    let referred: Vec<Vec<(usize, usize)>> = env
        .iter()
        .map(|(_, template)| {
            let found = references(template);
            found
                .filter_map(|(at, name)| Some((at, index(env, name)?)))
                .collect()
        })
        .collect();
    let mut order = Vec::with_capacity(env.len());
    let mut seen = vec![Seen::No; env.len()];
    for start in 0..env.len() {
        if seen[start] != Seen::No {
            continue;
        }
        // Each with how many of its references were followed.
        let mut path = vec![(start, 0)];
        seen[start] = Seen::OnPath;
        while let Some((entry, followed)) = path.last_mut() {
            let Some((at, next)) = referred[*entry].get(*followed).copied() else {
                seen[*entry] = Seen::Done;
                order.push(*entry);
                path.pop();
                continue;
            };
            *followed += 1;
            match seen[next] {
                Seen::Done => {}
                Seen::OnPath => {
                    let place = Place::Env(env[*entry].0.clone());
                    let fault = Fault::Loop {
                        names: names_of_loop(env, &path, next),
                    };
                    return Err(BadTemplate { place, at, fault });
                }
                Seen::No => {
                    seen[next] = Seen::OnPath;
                    path.push((next, 0));
                }
            }
        }
    }
    Ok(order)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    No,
    OnPath,
    Done,
}

fn names_of_loop(env: &[(String, Template)], path: &[(usize, usize)], first: usize) -> Vec<String> {
    let on_path = path.iter().map(|(entry, _)| *entry);
    let circle = on_path.skip_while(|entry| *entry != first).chain([first]);
    circle.map(|entry| env[entry].0.clone()).collect()
}

fn references(template: &Template) -> impl Iterator<Item = (usize, &str)> {
    template
        .pieces
        .iter()
        .filter_map(|(at, piece)| match piece {
            Piece::Env(name) => Some((*at, name.as_str())),
            _ => None,
        })
}

pub(super) fn index(env: &[(String, Template)], name: &str) -> Option<usize> {
    env.iter().position(|(known, _)| known == name)
}
