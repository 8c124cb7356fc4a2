//! The attacks that shaped the protocol, each run against it. A file is named after what the attacker
//! does; sources are the design review and the published attacks on secure aggregation.

#[path = "../support/mod.rs"]
mod support;

mod after_the_fact;
mod complaints;
mod contexts;
mod cross_protocol;
mod liars;
mod messages;
mod redelivery;
mod retry;
mod shares;
mod split_views;
