//! The queries, which are the same in both databases, once for each type of connection.

/// Implements [`Storage`](super::Storage) for `$storage`, which has `pool`, `writer` and
/// `connect()` and `append_on()`; `$forget` makes deleted rows unreadable.
macro_rules! implement_storage {
    ($storage:ty, $database:ty, $connection:ty, $forget:literal) => {
        impl $storage {
            /// The appending connection, made anew if it is lost. It is taken out, so that one
            /// that broke or was given up in the middle is never used again.
            async fn take(
                &self,
            ) -> Result<
                (
                    tokio::sync::MutexGuard<'_, Option<$connection>>,
                    $connection,
                ),
                Error,
            > {
                let mut writer = self.writer.lock().await;
                let connection = match writer.take() {
                    Some(connection) => connection,
                    None => self.connect().await?,
                };
                Ok((writer, connection))
            }

            /// Puts the connection back after a success.
            async fn settle<T>(
                mut writer: tokio::sync::MutexGuard<'_, Option<$connection>>,
                connection: $connection,
                result: Result<T, sqlx::Error>,
            ) -> Result<T, Error> {
                match result {
                    Ok(value) => {
                        *writer = Some(connection);
                        Ok(value)
                    }
                    Err(error) => {
                        // The error that counts is the one we have.
                        connection.close().await.unwrap_or_default();
                        Err(error.into())
                    }
                }
            }
        }

        impl Storage for $storage {
            fn log(&self) -> BoxFuture<'_, Result<Option<LogRow>, Error>> {
                Box::pin(async {
                    let row = sqlx::query("SELECT origin, epoch FROM log")
                        .fetch_optional(&self.pool)
                        .await?;
                    row.map(|row| {
                        Ok(LogRow {
                            origin: row.try_get(0)?,
                            epoch: unsigned(row.try_get(1)?)?,
                        })
                    })
                    .transpose()
                })
            }

            fn name(&self, log: LogRow, at_us: u64) -> BoxFuture<'_, Result<(), Error>> {
                Box::pin(async move {
                    let (writer, mut connection) = self.take().await?;
                    let result = sqlx::query(
                        "INSERT INTO log (id, origin, epoch, created_us) VALUES (1, $1, $2, $3)",
                    )
                    .bind(log.origin)
                    .bind(signed(log.epoch))
                    .bind(signed(at_us))
                    .execute(&mut connection)
                    .await;
                    Self::settle(writer, connection, result).await.map(drop)
                })
            }

            fn head(&self) -> BoxFuture<'_, Result<Head, Error>> {
                Box::pin(async {
                    let (writer, mut connection) = self.take().await?;
                    let result = sqlx::query(
                        "SELECT sequence, leaf FROM entry ORDER BY sequence DESC LIMIT 1",
                    )
                    .fetch_optional(&mut connection)
                    .await;
                    match Self::settle(writer, connection, result).await? {
                        None => Ok(Head {
                            size: 0,
                            leaf: None,
                        }),
                        Some(row) => {
                            let leaf: Vec<u8> = row.try_get(1)?;
                            Ok(Head {
                                size: unsigned(row.try_get(0)?)? + 1,
                                leaf: Some(hash(&leaf)?),
                            })
                        }
                    }
                })
            }

            fn append<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Error>> {
                Box::pin(async move {
                    let (writer, mut connection) = self.take().await?;
                    let result = Self::append_on(&mut connection, batch).await;
                    Self::settle(writer, connection, result).await
                })
            }

            fn entries(
                &self,
                from: u64,
                count: u32,
            ) -> BoxFuture<'_, Result<Vec<StoredEntry>, Error>> {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "SELECT sequence, leaf, body, at_us, action, outcome, actor, patient, \
                         room, encounter FROM entry WHERE sequence >= $1 ORDER BY sequence \
                         LIMIT $2",
                    )
                    .bind(signed(from))
                    .bind(i64::from(count))
                    .fetch_all(&self.pool)
                    .await?;
                    rows.iter().map(entry).collect()
                })
            }

            fn search<'a>(
                &'a self,
                search: &'a Search,
                count: u32,
            ) -> BoxFuture<'a, Result<Vec<StoredEntry>, Error>> {
                Box::pin(async move {
                    let mut query = QueryBuilder::<$database>::new(
                        "SELECT sequence, leaf, body, at_us, action, outcome, actor, patient, \
                         room, encounter FROM entry WHERE sequence < ",
                    );
                    query.push_bind(search.before.map_or(i64::MAX, signed));
                    if let Some(from_us) = search.from_us {
                        query.push(" AND at_us >= ").push_bind(signed(from_us));
                    }
                    if let Some(until_us) = search.until_us {
                        query.push(" AND at_us < ").push_bind(signed(until_us));
                    }
                    if let Some(action) = &search.action {
                        // A name, or the part before its dot.
                        query.push(" AND (action = ").push_bind(action);
                        query
                            .push(" OR substr(action, 1, length(")
                            .push_bind(action)
                            .push(") + 1) = ")
                            .push_bind(format!("{action}."))
                            .push(")");
                    }
                    let columns = [
                        (" AND outcome = ", &search.outcome),
                        (" AND actor = ", &search.actor),
                        (" AND patient = ", &search.patient),
                        (" AND room = ", &search.room),
                        (" AND encounter = ", &search.encounter),
                    ];
                    for (condition, wanted) in columns {
                        if let Some(wanted) = wanted {
                            query.push(condition).push_bind(wanted);
                        }
                    }
                    query
                        .push(" ORDER BY sequence DESC LIMIT ")
                        .push_bind(i64::from(count));
                    let rows = query
                        .build()
                        .persistent(false)
                        .fetch_all(&self.pool)
                        .await?;
                    rows.iter().map(entry).collect()
                })
            }

            fn tiles(
                &self,
                level: u8,
                from: u64,
                count: u32,
            ) -> BoxFuture<'_, Result<Vec<StoredTile>, Error>> {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "SELECT number, hashes FROM tile WHERE level = $1 AND number >= $2 \
                         ORDER BY number LIMIT $3",
                    )
                    .bind(i64::from(level))
                    .bind(signed(from))
                    .bind(i64::from(count))
                    .fetch_all(&self.pool)
                    .await?;
                    rows.iter()
                        .map(|row| {
                            Ok(StoredTile {
                                level,
                                number: unsigned(row.try_get(0)?)?,
                                hashes: row.try_get(1)?,
                            })
                        })
                        .collect()
                })
            }

            fn checkpoints(
                &self,
                size: u64,
                count: u32,
            ) -> BoxFuture<'_, Result<Vec<StoredCheckpoint>, Error>> {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "SELECT size, at_us, note FROM checkpoint WHERE size >= $1 \
                         ORDER BY size LIMIT $2",
                    )
                    .bind(signed(size))
                    .bind(i64::from(count))
                    .fetch_all(&self.pool)
                    .await?;
                    rows.iter().map(checkpoint).collect()
                })
            }

            fn last_checkpoint(&self) -> BoxFuture<'_, Result<Option<StoredCheckpoint>, Error>> {
                Box::pin(async {
                    let row = sqlx::query(
                        "SELECT size, at_us, note FROM checkpoint ORDER BY size DESC LIMIT 1",
                    )
                    .fetch_optional(&self.pool)
                    .await?;
                    row.as_ref().map(checkpoint).transpose()
                })
            }

            fn put_cosignature<'a>(
                &'a self,
                cosignature: &'a StoredCosignature,
            ) -> BoxFuture<'a, Result<(), Error>> {
                Box::pin(async move {
                    let (writer, mut connection) = self.take().await?;
                    let result = sqlx::query(
                        "INSERT INTO cosignature (size, witness, line) VALUES ($1, $2, $3) \
                         ON CONFLICT DO NOTHING",
                    )
                    .bind(signed(cosignature.size))
                    .bind(&cosignature.witness)
                    .bind(&cosignature.line)
                    .execute(&mut connection)
                    .await;
                    Self::settle(writer, connection, result).await.map(drop)
                })
            }

            fn cosignatures(
                &self,
                size: u64,
            ) -> BoxFuture<'_, Result<Vec<StoredCosignature>, Error>> {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "SELECT size, witness, line FROM cosignature WHERE size = $1 \
                         ORDER BY witness",
                    )
                    .bind(signed(size))
                    .fetch_all(&self.pool)
                    .await?;
                    rows.iter().map(cosignature).collect()
                })
            }

            fn last_cosignatures(&self) -> BoxFuture<'_, Result<Vec<StoredCosignature>, Error>> {
                Box::pin(async {
                    let rows = sqlx::query(
                        "SELECT size, witness, line FROM cosignature AS c WHERE size = \
                         (SELECT max(size) FROM cosignature WHERE witness = c.witness) \
                         ORDER BY witness",
                    )
                    .fetch_all(&self.pool)
                    .await?;
                    rows.iter().map(cosignature).collect()
                })
            }

            fn detail_keys<'a>(
                &'a self,
                subjects: &'a [String],
            ) -> BoxFuture<'a, Result<Vec<StoredDetailKey>, Error>> {
                Box::pin(async move {
                    let mut keys = Vec::new();
                    for chunk in subjects.chunks(BATCH_EVENTS_MAX) {
                        let mut query = QueryBuilder::<$database>::new(
                            "SELECT subject, year, id, wrapped FROM detail_key WHERE subject IN (",
                        );
                        let mut list = query.separated(", ");
                        for subject in chunk {
                            list.push_bind(subject);
                        }
                        query.push(")");
                        let cached = chunk.len() <= 2;
                        let rows = query
                            .build()
                            .persistent(cached)
                            .fetch_all(&self.pool)
                            .await?;
                        for row in rows {
                            let year: i64 = row.try_get(1)?;
                            keys.push(StoredDetailKey {
                                subject: row.try_get(0)?,
                                year: u16::try_from(year)
                                    .map_err(|_| Error::Corrupt("the year of a key".into()))?,
                                id: row.try_get(2)?,
                                wrapped: row.try_get(3)?,
                            });
                        }
                    }
                    Ok(keys)
                })
            }

            fn destroy_detail_keys<'a>(
                &'a self,
                subject: Option<&'a str>,
                year: u16,
            ) -> BoxFuture<'a, Result<u64, Error>> {
                Box::pin(async move {
                    let (writer, mut connection) = self.take().await?;
                    let result = async {
                        let mut query =
                            QueryBuilder::<$database>::new("DELETE FROM detail_key WHERE year < ");
                        query.push_bind(i64::from(year));
                        if let Some(subject) = subject {
                            query.push(" AND subject = ").push_bind(subject);
                        }
                        let done = query.build().execute(&mut connection).await?;
                        // What was deleted is still in a file until this.
                        sqlx::query($forget).execute(&mut connection).await?;
                        Ok(done.rows_affected())
                    }
                    .await;
                    Self::settle(writer, connection, result).await
                })
            }

            fn integrity(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
                Box::pin(async { self.check_integrity().await })
            }

            fn close(&self) -> BoxFuture<'_, ()> {
                Box::pin(async {
                    self.pool.close().await;
                    // The last to close: SQLite then brings its log into the file.
                    if let Some(connection) = self.writer.lock().await.take() {
                        // Everything is committed; there is nothing to lose.
                        connection.close().await.unwrap_or_default();
                    }
                })
            }
        }

        fn push_entries<'a>(query: &mut QueryBuilder<'a, $database>, entries: &'a [StoredEntry]) {
            query.push(
                "INSERT INTO entry (sequence, at_us, action, outcome, actor, patient, room, \
                 encounter, leaf, body) ",
            );
            query.push_values(entries, |mut row, entry| {
                row.push_bind(signed(entry.sequence))
                    .push_bind(signed(entry.columns.at_us))
                    .push_bind(&entry.columns.action)
                    .push_bind(&entry.columns.outcome)
                    .push_bind(&entry.columns.actor)
                    .push_bind(&entry.columns.patient)
                    .push_bind(&entry.columns.room)
                    .push_bind(&entry.columns.encounter)
                    .push_bind(entry.leaf.as_slice())
                    .push_bind(entry.body.as_slice());
            });
        }

        fn push_detail_keys<'a>(
            query: &mut QueryBuilder<'a, $database>,
            keys: &'a [StoredDetailKey],
        ) {
            query.push("INSERT INTO detail_key (subject, year, id, wrapped) ");
            query.push_values(keys, |mut row, key| {
                row.push_bind(&key.subject)
                    .push_bind(i64::from(key.year))
                    .push_bind(&key.id)
                    .push_bind(&key.wrapped);
            });
        }

        fn push_tiles<'a>(query: &mut QueryBuilder<'a, $database>, tiles: &'a [StoredTile]) {
            query.push("INSERT INTO tile (level, number, hashes) ");
            query.push_values(tiles, |mut row, tile| {
                row.push_bind(i64::from(tile.level))
                    .push_bind(signed(tile.number))
                    .push_bind(&tile.hashes);
            });
        }

        fn push_checkpoint<'a>(
            query: &mut QueryBuilder<'a, $database>,
            checkpoint: &'a StoredCheckpoint,
        ) {
            query.push("INSERT INTO checkpoint (size, at_us, note) ");
            query.push_values([checkpoint], |mut row, checkpoint| {
                row.push_bind(signed(checkpoint.size))
                    .push_bind(signed(checkpoint.at_us))
                    .push_bind(&checkpoint.note);
            });
        }

        fn entry(row: &<$database as sqlx::Database>::Row) -> Result<StoredEntry, Error> {
            let leaf: Vec<u8> = row.try_get(1)?;
            Ok(StoredEntry {
                sequence: unsigned(row.try_get(0)?)?,
                leaf: hash(&leaf)?,
                body: row.try_get(2)?,
                columns: Columns {
                    at_us: unsigned(row.try_get(3)?)?,
                    action: row.try_get(4)?,
                    outcome: row.try_get(5)?,
                    actor: row.try_get(6)?,
                    patient: row.try_get(7)?,
                    room: row.try_get(8)?,
                    encounter: row.try_get(9)?,
                },
            })
        }

        fn checkpoint(row: &<$database as sqlx::Database>::Row) -> Result<StoredCheckpoint, Error> {
            Ok(StoredCheckpoint {
                size: unsigned(row.try_get(0)?)?,
                at_us: unsigned(row.try_get(1)?)?,
                note: row.try_get(2)?,
            })
        }

        fn cosignature(
            row: &<$database as sqlx::Database>::Row,
        ) -> Result<StoredCosignature, Error> {
            Ok(StoredCosignature {
                size: unsigned(row.try_get(0)?)?,
                witness: row.try_get(1)?,
                line: row.try_get(2)?,
            })
        }
    };
}

pub(crate) use implement_storage;
