-- Q09 [top-N per group] Top three reasons for losing the last settled home in each borough
SELECT borough_gss, reason_loss, cases, rk FROM (
  SELECT borough_gss, reason_loss, COUNT(*) AS cases,
         RANK() OVER (PARTITION BY borough_gss ORDER BY COUNT(*) DESC) AS rk
  FROM homelessness_case WHERE application_date >= DATE '2025-01-01' GROUP BY borough_gss, reason_loss) t
WHERE rk <= 3 ORDER BY borough_gss, rk, reason_loss;
