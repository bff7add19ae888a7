-- Calls that each run has used of the API's daily budget, which is made anew at midnight UTC: by the day there, and by
-- run. While a run is at work its row says how many it may have used by now, afterwards how many it did use.
CREATE TABLE IF NOT EXISTS monday_sync.sync_calls (
    day pg_catalog.date NOT NULL,
    run_id pg_catalog.text NOT NULL,
    calls pg_catalog.numeric(9, 1) NOT NULL,
    PRIMARY KEY (day, run_id)
);
