-- Q30 [moving average + share of total] Weekly rough-sleeping contacts with a 4-week moving average and each week's share of the London year total
SELECT week, contacts, AVG(contacts) OVER (ORDER BY week ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS ma4,
       ROUND(100.0 * contacts / SUM(contacts) OVER (), 2) AS pct_of_year
FROM (SELECT date_trunc('week', contact_date) AS week, COUNT(*) AS contacts FROM rough_sleeping_contact
      WHERE contact_date >= DATE '2025-01-01' AND contact_date < DATE '2026-01-01' GROUP BY date_trunc('week', contact_date)) w
ORDER BY week;
