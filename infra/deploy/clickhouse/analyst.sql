-- A user for analysts, on a ClickHouse server of your own: reads the views of the archive and nothing else, within limits.
-- Run it once, as a user that may create users, after the projections have started; put in a password, and the names where yours are others:
--   clickhouse-client --multiquery < infra/deploy/clickhouse/analyst.sql
-- The embedded engine has no users: there, whoever reaches its port on loopback may do everything.

-- readonly = 2 lets a client such as Grafana set settings, and the bounds behind MAX cannot be lifted by it.
CREATE SETTINGS PROFILE IF NOT EXISTS longwire_analyst SETTINGS
  readonly = 2 CONST,
  max_execution_time = 30 MAX 60,
  timeout_before_checking_execution_speed = 0 CONST,
  max_rows_to_read = 1000000000 MAX 2000000000,
  max_result_rows = 100000 MAX 1000000,
  max_memory_usage = 2000000000 MAX 4000000000,
  max_bytes_before_external_group_by = 1000000000,
  max_threads = 2 MAX 4,
  max_concurrent_queries_for_user = 4 CONST,
  priority = 10 CONST;

CREATE ROLE IF NOT EXISTS longwire_analyst SETTINGS PROFILE 'longwire_analyst';

-- The views read with the rights of whoever made them: no right on the archive's own tables is needed, nor given.
GRANT SELECT, SHOW TABLES, SHOW COLUMNS ON longwire_analytics.* TO longwire_analyst;

CREATE QUOTA IF NOT EXISTS longwire_analyst FOR INTERVAL 1 hour MAX queries = 2000, execution_time = 1800 TO longwire_analyst;

CREATE USER IF NOT EXISTS analyst IDENTIFIED WITH sha256_password BY 'change me' DEFAULT ROLE longwire_analyst;
GRANT longwire_analyst TO analyst;
