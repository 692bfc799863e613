select id, day, status, amount from {{ ref('raw_orders') }}
