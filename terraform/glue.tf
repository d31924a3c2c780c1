# Tables and views of the lake. Columns, partitions and projection are read from schemas/generated, never typed here.
locals {
  generated = "${path.module}/../schemas/generated"

  tables = { for file in fileset("${local.generated}/glue", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.generated}/glue/${file}")) }

  parquet = {
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
    serde         = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
  }

  # Views of Athena are Glue tables that carry their statement. The view of a table has its columns, then the partition keys.
  view_types    = { string = "varchar", timestamp = "timestamp(3)", boolean = "boolean", int = "integer", bigint = "bigint", double = "double" }
  further_views = { for file in fileset("${local.generated}/views", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.generated}/views/${file}")) }
  views = { for name, view in merge(
    { for name, table in local.tables : trimsuffix(name, "_raw") => {
      description = "Each row of ${name} once: what people query."
      columns     = concat(table.columns, table.partition_keys)
    } if endswith(name, "_raw") },
    { for name, view in local.further_views : name => { description = view.description, columns = view.columns } },
    ) : name => merge(view, {
      sql = trimspace(replace(file("${local.generated}/athena/${name}.sql"), "/^CREATE OR REPLACE VIEW [a-z_]+ AS\\s+/", ""))
  }) }
}

resource "aws_glue_catalog_database" "this" {
  name        = local.database
  description = "Audit lake of ${var.name}."
  tags        = local.tags
}

resource "aws_glue_catalog_table" "this" {
  for_each = local.tables

  database_name = aws_glue_catalog_database.this.name
  name          = each.value.name
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  parameters = merge(each.value.parameters, {
    EXTERNAL                    = "TRUE"
    "storage.location.template" = "s3://${local.buckets.audit}/${each.value.partition_template}"
  })

  storage_descriptor {
    location      = "s3://${local.buckets.audit}/${each.value.folder}/"
    input_format  = local.parquet.input_format
    output_format = local.parquet.output_format

    ser_de_info {
      serialization_library = local.parquet.serde
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  dynamic "partition_keys" {
    for_each = each.value.partition_keys

    content {
      name    = partition_keys.value.name
      type    = partition_keys.value.type
      comment = partition_keys.value.comment
    }
  }
}

resource "aws_glue_catalog_table" "view" {
  for_each = local.views

  database_name = aws_glue_catalog_database.this.name
  name          = each.key
  description   = each.value.description
  table_type    = "VIRTUAL_VIEW"
  parameters    = { presto_view = "true", comment = "Presto View" }

  view_expanded_text = "/* Presto View */"
  view_original_text = "/* Presto View: ${base64encode(jsonencode({
    originalSql = each.value.sql
    catalog     = "awsdatacatalog"
    schema      = local.database
    columns     = [for column in each.value.columns : { name = column.name, type = local.view_types[column.type] }]
  }))} */"

  storage_descriptor {
    ser_de_info {
      serialization_library = local.parquet.serde
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }

  depends_on = [aws_glue_catalog_table.this]
}
