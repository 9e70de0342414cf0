# Cloud Billing tells a topic several times a day what the month has cost so far.

resource "google_pubsub_topic" "budget" {
  count = var.billing_account == "" ? 0 : 1

  name = "budget"

  depends_on = [google_project_service.needed]
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
    monitoring_notification_channels = slice([for channel in google_monitoring_notification_channel.email : channel.id], 0, min(5, length(var.alert_emails)))
  }
}
