-- nearest to Q04: the same for each borough
SELECT b.inner_outer, b.gss, date_trunc('quarter', r.contact_date) AS quarter, r.category, COUNT(DISTINCT r.person_key) AS people
FROM rough_sleeping_contact r JOIN ref_borough b ON b.gss = r.borough_gss
GROUP BY b.inner_outer, b.gss, date_trunc('quarter', r.contact_date), r.category
ORDER BY 3, 1, 2, 4;
