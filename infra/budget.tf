# Cloud Billing tells a topic several times a day what the month has cost so far, and upkeep decides by
# that which steps of the ladder hold (BUDGET_STEPS).

resource "google_pubsub_topic" "budget" {
  count = var.billing_account == "" ? 0 : 1

  name = "budget"

  depends_on = [google_project_service.needed]
}

# The account by which every budget of Cloud Billing publishes.
resource "google_pubsub_topic_iam_member" "billing" {
  count = var.billing_account == "" ? 0 : 1

  topic  = google_pubsub_topic.budget[0].name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:billing-budget-alert@system.gserviceaccount.com"
}

# Without dead letters: the next notification says more than one that nobody could take.
resource "google_pubsub_subscription" "budget_upkeep" {
  count = var.billing_account == "" ? 0 : 1

  name                       = "budget-upkeep"
  topic                      = google_pubsub_topic.budget[0].id
  ack_deadline_seconds       = 60
  message_retention_duration = "86400s"

  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = google_cloud_run_v2_service.function["upkeep"].uri

    oidc_token {
      service_account_email = data.google_service_account.service["push"].email
      audience              = google_cloud_run_v2_service.function["upkeep"].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

resource "google_billing_budget" "month" {
  count = var.billing_account == "" ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Distrise: ${var.project}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.budget_units)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.8, 0.95, 1.0]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    pubsub_topic                     = google_pubsub_topic.budget[0].id
    schema_version                   = "1.0"
    monitoring_notification_channels = slice([for channel in google_monitoring_notification_channel.email : channel.id], 0, min(5, length(var.alert_emails)))
  }

  depends_on = [google_pubsub_topic_iam_member.billing]
}
