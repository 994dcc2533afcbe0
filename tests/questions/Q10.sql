-- Q10 [rollup with subtotals] Cases by inner/outer, borough and duty, with subtotals and a London total
SELECT b.inner_outer, b.name, h.duty, COUNT(*) AS cases
FROM homelessness_case h JOIN ref_borough b ON b.gss = h.borough_gss
GROUP BY ROLLUP (b.inner_outer, b.name, h.duty)
ORDER BY b.inner_outer NULLS LAST, b.name NULLS LAST, h.duty NULLS LAST;
