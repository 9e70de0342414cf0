# The names are those that the alerts and dashboards watch.

locals {
  week = "604800s"
}

resource "google_pubsub_topic" "incoming" {
  name                       = "incoming"
  message_retention_duration = local.week

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic" "incoming_dead" {
  name                       = "incoming-dead"
  message_retention_duration = local.week

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic" "stored" {
  name = "stored"

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic" "fetch" {
  name = "fetch"

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_subscription" "incoming_store" {
  name  = "incoming-store"
  topic = google_pubsub_topic.incoming.id

  # Also the time that a push may take: as long as store's own.
  ack_deadline_seconds       = local.store_seconds
  message_retention_duration = local.week

  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = google_cloud_run_v2_service.function["store"].uri

    oidc_token {
      service_account_email = data.google_service_account.service["push"].email
      audience              = google_cloud_run_v2_service.function["store"].uri
    }
  }

  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.incoming_dead.id
    max_delivery_attempts = 100
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

# Upkeep reads it and publishes to incoming again, when the database answers.
resource "google_pubsub_subscription" "incoming_dead_replay" {
  name                       = "incoming-dead-replay"
  topic                      = google_pubsub_topic.incoming_dead.id
  ack_deadline_seconds       = 60
  message_retention_duration = local.week

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "fetch_work" {
  name  = "fetch-work"
  topic = google_pubsub_topic.fetch.id

  # Twice what a piece takes at most: one that is delivered again finds its source leased.
  ack_deadline_seconds = local.fetch_seconds
  # A piece that is not done by then is handed out anew by the scheduler.
  message_retention_duration = "600s"

  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = google_cloud_run_v2_service.function["fetch"].uri

    oidc_token {
      service_account_email = data.google_service_account.service["push"].email
      audience              = google_cloud_run_v2_service.function["fetch"].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

# Without these two Pub/Sub counts no attempts and moves nothing to the dead letters.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.incoming_dead.name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  subscription = google_pubsub_subscription.incoming_store.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

locals {
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
