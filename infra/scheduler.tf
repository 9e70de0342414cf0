# Calls every minute. Cloud Scheduler never has two calls of one job under way.

locals {
  schedules = merge(
    {
      fetch  = { seconds = 180, retries = 0 }
      upkeep = { seconds = 300, retries = 1 }
    },
    var.watch ? { probe = { seconds = 120, retries = 0 } } : {},
  )
}

resource "google_cloud_scheduler_job" "every_minute" {
  for_each = local.schedules

  name             = each.key
  region           = var.region
  description      = "Calls the function ${each.key}"
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.seconds}s"

  retry_config {
    retry_count          = each.value.retries
    min_backoff_duration = "5s"
  }

  http_target {
    http_method = "POST"
    uri         = google_cloud_run_v2_service.function[each.key].uri

    oidc_token {
      service_account_email = data.google_service_account.service["scheduler"].email
      audience              = google_cloud_run_v2_service.function[each.key].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}
