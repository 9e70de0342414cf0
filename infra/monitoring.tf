# Dashboards, alerts, objectives and the uptime check are the JSON that the API takes, checked by
# tests of their own; here they become resources.

locals {
  alert_files = setsubtract(
    var.monitoring_policies ? fileset("${path.module}/alerts", "*.json") : [],
    concat(
      var.watch ? [] : local.alerts_of_watch,
      var.archive ? [] : ["archive-behind.json"],
    ),
  )
  # A relay that sleeps is silent, and nobody looks whether it would answer.
  alerts_of_watch = [
    "certificate-expiring.json",
    "nip11-unreachable.json",
    "no-events.json",
    "probe-failing.json",
    "relay-silent.json",
  ]
  objective_files = var.monitoring_policies ? fileset("${path.module}/slos", "*.json") : []

  alerts = {
    for file in local.alert_files : trimsuffix(file, ".json") => jsondecode(replace(
      file("${path.module}/alerts/${file}"),
      "PROJECT_ID", var.project,
    ))
  }

  # What follows the sizes of the profile, by the name of the condition. In the files stands what
  # holds on one machine, so that they are whole where they are read without Terraform.
  thresholds = {
    "Over 80 % of the connections that the database allows are open"            = floor(0.8 * var.database.max_connections)
    "Over 80 % of the connections that one instance takes, as it counts itself" = floor(0.8 * local.relay_connections)
    "Over 80 % of the connections that one instance takes, as Cloud Run counts" = floor(0.8 * var.relay.concurrency)
    "Over 80 % of the connections that all instances take together"             = floor(0.8 * local.relay_connections * var.relay.max_instances)
    "Over 80 % of what the disk may grow to is used"                            = floor(0.8 * var.database.disk_limit * pow(2, 30))
    # A large disk grows when 25 GB are left, a small one earlier.
    "The disk is full and has not grown" = max(0.98, 1 - 10 / var.database.disk_limit)
    # Dollars against the currency of the budget. A month has 730 hours; a relay that sleeps in some
    # works in others.
    "Over twice an hour's share of the budget" = 2 * var.budget_units / 730
  }

  # The same numbers as lines of charts: the alert's, and the ceiling itself.
  ceilings = {
    "relay.json"    = local.relay_connections
    "database.json" = var.database.max_connections
  }
  dashboards = {
    for file in fileset("${path.module}/dashboards", "*.json") :
    file => !contains(keys(local.ceilings), file) ? file("${path.module}/dashboards/${file}") : replace(replace(replace(
      file("${path.module}/dashboards/${file}"),
      "/\"value\": [0-9]+,(\\s+\"targetAxis\": \"Y1\",\\s+\"label\": \"ceiling\")/", "\"value\": ${local.ceilings[file]},$1"),
      "/\"value\": (80|800),/", "\"value\": ${floor(0.8 * local.ceilings[file])},"),
      "/\"value\": 70,/", "\"value\": ${floor(0.7 * local.ceilings[file])},",
    )
  }

  objectives = {
    for file in local.objective_files :
    trimsuffix(file, ".json") => jsondecode(file("${path.module}/slos/${file}"))
  }
  uptime = jsondecode(file("${path.module}/uptime/nip11.json"))
}

resource "google_monitoring_dashboard" "distrise" {
  for_each = local.dashboards

  dashboard_json = each.value

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  display_name = each.value
  type         = "email"
  labels = {
    email_address = each.value
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_uptime_check_config" "nip11" {
  count = var.watch ? 1 : 0

  display_name = local.uptime.displayName
  timeout      = local.uptime.timeout
  period       = local.uptime.period
  checker_type = local.uptime.checkerType
  user_labels  = local.uptime.userLabels

  monitored_resource {
    type = local.uptime.monitoredResource.type
    labels = {
      project_id = var.project
      host       = local.relay_host
    }
  }

  http_check {
    request_method = local.uptime.httpCheck.requestMethod
    path           = local.uptime.httpCheck.path
    port           = local.uptime.httpCheck.port
    use_ssl        = local.uptime.httpCheck.useSsl
    validate_ssl   = local.uptime.httpCheck.validateSsl
    headers        = local.uptime.httpCheck.headers

    dynamic "accepted_response_status_codes" {
      for_each = local.uptime.httpCheck.acceptedResponseStatusCodes

      content {
        status_value = accepted_response_status_codes.value.statusValue
      }
    }
  }

  dynamic "content_matchers" {
    for_each = local.uptime.contentMatchers

    content {
      content = content_matchers.value.content
      matcher = content_matchers.value.matcher
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_custom_service" "distrise" {
  service_id   = "distrise"
  display_name = "Distrise"

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_slo" "objective" {
  for_each = local.objectives

  service             = google_monitoring_custom_service.distrise.service_id
  slo_id              = each.key
  display_name        = each.value.displayName
  goal                = each.value.goal
  rolling_period_days = floor(tonumber(trimsuffix(each.value.rollingPeriod, "s")) / 86400)
  user_labels         = each.value.userLabels

  request_based_sli {
    distribution_cut {
      distribution_filter = each.value.serviceLevelIndicator.requestBased.distributionCut.distributionFilter

      # The file's "-Infinity" for `min` is what Cloud Monitoring takes when none is given.
      range {
        max = each.value.serviceLevelIndicator.requestBased.distributionCut.range.max
      }
    }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  display_name = each.value.displayName
  severity     = each.value.severity
  enabled      = each.value.enabled
  combiner     = each.value.combiner
  user_labels  = each.value.userLabels

  notification_channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.id],
    each.value.userLabels.page == "yes" ? var.paging_channels : [],
  )

  documentation {
    subject   = each.value.documentation.subject
    mime_type = each.value.documentation.mimeType
    # Here and not in the whole file: the address is known only after the relay stands, and a plan
    # must know the rest.
    content = replace(each.value.documentation.content, "RELAY_HOST", local.relay_host)
  }

  alert_strategy {
    auto_close           = each.value.alertStrategy.autoClose
    notification_prompts = each.value.alertStrategy.notificationPrompts
  }

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = conditions.value.displayName

      dynamic "condition_threshold" {
        for_each = [for key, condition in conditions.value : condition if key == "conditionThreshold"]

        content {
          filter             = condition_threshold.value.filter
          comparison         = condition_threshold.value.comparison
          threshold_value    = lookup(local.thresholds, conditions.value.displayName, condition_threshold.value.thresholdValue)
          duration           = condition_threshold.value.duration
          denominator_filter = try(condition_threshold.value.denominatorFilter, null)

          trigger {
            count = condition_threshold.value.trigger.count
          }

          dynamic "aggregations" {
            for_each = try(condition_threshold.value.aggregations, [])

            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = aggregations.value.crossSeriesReducer
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }

          dynamic "denominator_aggregations" {
            for_each = try(condition_threshold.value.denominatorAggregations, [])

            content {
              alignment_period     = denominator_aggregations.value.alignmentPeriod
              per_series_aligner   = denominator_aggregations.value.perSeriesAligner
              cross_series_reducer = denominator_aggregations.value.crossSeriesReducer
              group_by_fields      = try(denominator_aggregations.value.groupByFields, null)
            }
          }
        }
      }

      dynamic "condition_absent" {
        for_each = [for key, condition in conditions.value : condition if key == "conditionAbsent"]

        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration

          trigger {
            count = condition_absent.value.trigger.count
          }

          dynamic "aggregations" {
            for_each = try(condition_absent.value.aggregations, [])

            content {
              alignment_period     = aggregations.value.alignmentPeriod
              per_series_aligner   = aggregations.value.perSeriesAligner
              cross_series_reducer = aggregations.value.crossSeriesReducer
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = [for key, condition in conditions.value : condition if key == "conditionPrometheusQueryLanguage"]

        content {
          query = !can(local.thresholds[conditions.value.displayName]) ? condition_prometheus_query_language.value.query : replace(
            condition_prometheus_query_language.value.query,
            "/> [0-9.]+$/", format("> %.3f", local.thresholds[conditions.value.displayName]),
          )
          duration            = condition_prometheus_query_language.value.duration
          evaluation_interval = condition_prometheus_query_language.value.evaluationInterval
          rule_group          = condition_prometheus_query_language.value.ruleGroup
          alert_rule          = condition_prometheus_query_language.value.alertRule
        }
      }
    }
  }

  # Those on burn rates name objectives.
  depends_on = [google_monitoring_slo.objective, google_monitoring_uptime_check_config.nip11]
}
