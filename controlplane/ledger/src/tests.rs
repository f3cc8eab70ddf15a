//! Scenarios, each over SQLite and, where there is a PostgreSQL 15, over that too.

mod disk;
mod kill;
mod postgres;
mod scenarios;
mod sqlite;
mod tampering;
mod witness;
