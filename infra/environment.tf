# What each service reads at its start; functions/*/configuration.ts says what is allowed. A test
# compares both: what a service requires stands here, and nothing that it does not know.

locals {
  environment_common = {
    GOOGLE_CLOUD_PROJECT = var.project
    LOG_LEVEL            = var.log_level
    METRICS_NAMESPACE    = var.environment
    METRICS_LOCATION     = var.region
  }

  environment_topics = {
    TOPIC_INCOMING      = google_pubsub_topic.incoming.name
    TOPIC_INCOMING_DEAD = google_pubsub_topic.incoming_dead.name
    TOPIC_STORED        = google_pubsub_topic.stored.name
    TOPIC_FETCH         = google_pubsub_topic.fetch.name
  }

  environment_database = {
    INSTANCE_CONNECTION_NAME = google_sql_database_instance.main.connection_name
    DATABASE_NAME            = google_sql_database.main.name
    DATABASE_IP_TYPE         = "PRIVATE"
  }

  environment_events = {
    EVENT_BYTES_MAX = tostring(var.event_bytes_max)
  }

  environment_relay = {
    DATABASE_USER     = local.database_users["relay"]
    DATABASE_POOL_MAX = tostring(var.relay.pool)

    # Empty where there is none.
    REPLICA_INSTANCE_CONNECTION_NAME = join("", [for replica in google_sql_database_instance.replica : replica.connection_name])
    REPLICA_POOL_MAX                 = tostring(var.read_replica.pool)

    RELAY_NAME        = var.relay_name
    RELAY_DESCRIPTION = var.relay_description
    RELAY_CONTACT     = var.relay_contact
    RELAY_PUBKEY      = var.relay_pubkey

    # `["EVENT",` and `]` around the largest event.
    RELAY_MESSAGE_BYTES_MAX = tostring(var.event_bytes_max + 256)
    RELAY_CONNECTIONS_MAX   = tostring(local.relay_connections)
    # A load balancer appends two addresses, Cloud Run alone one. With both ways open, two would let who
    # comes to Cloud Run invent his address; with one, all who come by the domain have the load
    # balancer's, and share its limits.
    RELAY_TRUSTED_PROXIES = local.only_load_balancer ? "2" : "1"

    WINDOW_BYTES_MAX           = tostring(var.relay.window_bytes)
    PENDING_BYTES_MAX          = tostring(var.relay.pending_bytes)
    ANSWERS_BYTES_MAX          = tostring(var.relay.answers_bytes)
    RELAY_SEND_TOTAL_BYTES_MAX = tostring(var.relay.send_bytes)
  }

  environment_store = {
    DATABASE_USER     = local.database_users["store"]
    DATABASE_POOL_MAX = tostring(var.functions["store"].pool)
  }

  environment_fetch = {
    DATABASE_USER     = local.database_users["fetch"]
    DATABASE_POOL_MAX = tostring(var.functions["fetch"].pool)
  }

  environment_follow = {
    DATABASE_USER     = local.database_users["fetch"]
    DATABASE_POOL_MAX = tostring(local.follow_pool)
  }

  environment_upkeep = {
    DATABASE_USER     = local.database_users["upkeep"]
    DATABASE_POOL_MAX = tostring(var.functions["upkeep"].pool)
    BUDGET_STEPS      = var.budget_steps
  }

  environment_probe = {
    PROBE_URL = "wss://${local.relay_host}/"
  }

  environment_migrate = {
    GOOGLE_CLOUD_PROJECT          = var.project
    LOG_LEVEL                     = var.log_level
    DATABASE_USER                 = local.database_users["upkeep"]
    DATABASE_POOL_MAX             = "2"
    DATABASE_STATEMENT_TIMEOUT_MS = "600000"
    DATABASE_READERS              = local.database_users["relay"]
    DATABASE_WRITERS              = "${local.database_users["store"]},${local.database_users["fetch"]}"
  }
}
